"""critest's images, rebuilt from Debian's packages, under their own names.

Upstream's images cannot be fetched without the internet and need not be: a spec uses an
image for the programs in it. Their busybox is Debian's dynamic one, whose shell executes its
commands as files (the static one runs them inside itself, which hides masked files), with
`ls` a file of its own and pgrep and ipcs from Debian's procps and util-linux.
"""

import os
import subprocess

import debian
import image_builder
import tools
from image_builder import Image, Layer, directory, regular, symlink

E2E = "registry.k8s.io/e2e-test-images"
CRI_TOOLS = "gcr.io/k8s-staging-cri-tools"
BENCHMARK = "public.ecr.aws/docker/library/busybox"
REGISTRIES = ("registry.k8s.io", "k8s.gcr.io", "gcr.io", "public.ecr.aws")

USERS = {
    "test-image-user-uid": "1002",
    "test-image-user-username": "www-data",
    "test-image-user-uid-group": "1003:1004",
    "test-image-user-username-group": "www-data:1004",
}

NGINX_CONF = """user www-data;
worker_processes 1;
pid /var/run/nginx.pid;
error_log /dev/stderr;
events {{ worker_connections 64; }}
http {{
  include /etc/nginx/mime.types;
  access_log /dev/stdout;
  server {{
    listen {port};
    root /usr/share/nginx/html;
  }}
}}
"""

HTTPD_CONF = """ServerName localhost
ServerRoot /usr/lib/apache2
Listen 80
PidFile /var/run/httpd.pid
User www-data
Group www-data
LoadModule mpm_prefork_module modules/mod_mpm_prefork.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule dir_module modules/mod_dir.so
DocumentRoot /var/www
DirectoryIndex index.html
ErrorLog /dev/stderr
LogLevel notice
"""

# What the specs want of upstream's nonewprivs: a set-uid program that tells its effective user.
NONEWPRIVS = """#include <stdio.h>
#include <unistd.h>
int main(void) { return printf("Effective uid: %d\\n", (int)geteuid()) < 0; }
"""


def base_layer(root):
    busybox = f"{root}/bin/busybox"
    layer = {}
    for path in ("dev", "etc", "home", "proc", "root", "run", "sys", "usr", "var", "var/run", "var/www"):
        layer[path] = directory()
    layer["tmp"] = directory(0o1777)
    debian.add_program(layer, "/bin/busybox", busybox, root)
    debian.add_program(layer, "/bin/ls", busybox, root)
    debian.add_program(layer, "/usr/bin/pgrep", tools.theirs("pgrep"), root)
    debian.add_program(layer, "/usr/bin/ipcs", tools.theirs("ipcs"), root)
    for applet in tools.run(busybox, "--list-full").stdout.split():
        if applet not in layer and applet != "linuxrc":
            debian.add_parents(layer, applet)
            layer[applet] = symlink("/bin/busybox")
    layer["etc/passwd"] = regular(
        image_builder.PASSWD.replace("alice:x", "default-user:x").replace("alice", "default-user")
    )
    layer["etc/group"] = regular(
        "root:x:0:\nwww-data:x:33:\ndefault-user:x:1000:\n"
        "group-defined-in-image:x:50000:default-user\nnobody:x:65534:\n"
    )
    return layer


def nginx_layer(root):
    layer = {}
    debian.add_program(layer, "/usr/sbin/nginx", f"{root}/usr/sbin/nginx", root)
    for path in ("/etc/nginx/mime.types", "/usr/share/nginx/html/index.html"):
        debian.add_file(layer, path, root + path)
    for path in ("var/lib", "var/lib/nginx", "var/log", "var/log/nginx"):
        layer[path] = directory()
    return layer


def httpd_layer(root):
    layer = {}
    # By the name that it logs at its start, which a spec looks for.
    debian.add_program(layer, "/usr/sbin/httpd", f"{root}/usr/sbin/apache2", root)
    for module in ("mpm_prefork", "authz_core", "dir"):
        path = f"/usr/lib/apache2/modules/mod_{module}.so"
        debian.add_file(layer, path, root + path)
    layer["etc/httpd.conf"] = regular(HTTPD_CONF)
    layer["var/www/index.html"] = regular("<html><body><h1>It works!</h1></body></html>\n")
    return layer


def nonewprivs_layer(scratch):
    program = os.path.join(scratch, "nonewprivs")
    subprocess.run(["gcc", "-static", "-O1", "-x", "c", "-", "-o", program], input=NONEWPRIVS.encode(), check=True)
    layer = {}
    debian.add_file(layer, "/nonewprivs", program, 0o4755)
    os.unlink(program)
    return layer


def build(scratch):
    """Every image by its full name; the layers are shared as upstream's are not."""
    root = debian.unpacked()
    base, nginx = Layer(base_layer(root), 1), Layer(nginx_layer(root), 1)

    def web_server(port):
        layers = [base, nginx, {"etc/nginx/nginx.conf": regular(NGINX_CONF.format(port=port))}]
        return Image(layers, {"Cmd": ["nginx", "-g", "daemon off;"]})

    def mark(name):
        """An image like no other of its layers."""
        return Image([base, {name: regular("")}])

    pause = {}
    debian.add_file(pause, "/pause", tools.ours("crisp-pause"), 0o755)
    pause_image = Image([pause], {"Entrypoint": ["/pause"], "Cmd": []})
    images = {
        f"{E2E}/busybox:1.29-2": Image([base]),
        f"{E2E}/nginx:1.14-2": web_server(80),
        f"{E2E}/httpd:2.4.39-4": Image(
            [base, httpd_layer(root)], {"Cmd": ["httpd", "-D", "FOREGROUND", "-f", "/etc/httpd.conf"]}
        ),
        f"{E2E}/nonewprivs:1.3": Image([base, nonewprivs_layer(scratch)], {"Cmd": ["/nonewprivs"]}),
        f"{CRI_TOOLS}/hostnet-nginx-{image_builder.architecture()}:latest": web_server(12003),
        f"{CRI_TOOLS}/test-image-predefined-group:latest": Image([base], {"User": "1000"}),
        "registry.k8s.io/pause:3.9": pause_image,
        "k8s.gcr.io/pause:3.9": pause_image,
        f"{CRI_TOOLS}/test-image-tag:test": mark("test"),
        f"{CRI_TOOLS}/test-image-tag:all": mark("all"),
    }
    for name in ("latest", "digest", "1", "2", "3"):
        images[f"{CRI_TOOLS}/test-image-{name}:latest"] = mark(f"test-image-{name}")
    same = mark("same-image")
    for tag in ("1", "2", "3"):
        images[f"{CRI_TOOLS}/test-image-tags:{tag}"] = same
    for name, user in USERS.items():
        images[f"{CRI_TOOLS}/{name}:latest"] = Image([base], {"User": user})
    for tag in ("1", "1-glibc", "1-musl", "1-uclibc", "1.35.0-glibc"):
        images[f"{BENCHMARK}:{tag}"] = images[f"{E2E}/busybox:1.29-2"]
    return images
