"""Builds small container images from Debian's busybox-static, without a network.

An image is a list of layers (each a dict of path -> entry) and a config. The same
blobs are written as an archive that is both an OCI image layout and what `docker save`
writes, or pushed to a registry by tests/integration/registry.py. Equal input gives equal bytes.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import subprocess
import tarfile

BUSYBOX = "/usr/bin/busybox"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DEFAULT_TAG = "docker.io/library/busybox:latest"

PASSWD = """root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
alice:x:1000:1000:alice:/home/alice:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
"""
GROUP = """root:x:0:
daemon:x:1:
www-data:x:33:
alice:x:1000:
crew:x:50000:alice
nobody:x:65534:
"""


class Entry:
    """One member of a layer: a directory, a file or a symbolic link."""

    def __init__(self, kind, mode=0o644, data=b"", target="", uid=0, gid=0):
        self.kind, self.mode, self.data, self.target = kind, mode, data, target
        self.uid, self.gid = uid, gid


def directory(mode=0o755, uid=0, gid=0):
    return Entry("dir", mode, uid=uid, gid=gid)


def regular(data, mode=0o644, uid=0, gid=0):
    return Entry("file", mode, data if isinstance(data, bytes) else data.encode(), uid=uid, gid=gid)


def symlink(target):
    return Entry("link", 0o777, target=target)


def architecture():
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def busybox_layer():
    """The root of a busybox image: the binary, a link per applet, and the usual directories."""
    if not os.path.exists(BUSYBOX):
        raise SystemExit(f"{BUSYBOX} is missing: apt-get install busybox-static")
    with open(BUSYBOX, "rb") as f:
        busybox = f.read()
    if b"/lib64/ld-linux" in busybox[:4096] or b"ld-linux-aarch64" in busybox[:4096]:
        raise SystemExit(f"{BUSYBOX} is linked dynamically: apt-get install busybox-static")
    layer = {
        path: directory()
        for path in (
            "bin dev etc home home/alice proc root run sbin sys usr usr/bin usr/sbin var var/www"
        ).split()
    }
    layer["home/alice"] = directory(uid=1000, gid=1000)
    layer["root"] = directory(0o700)
    layer["tmp"] = directory(0o1777)
    layer["var/tmp"] = directory(0o1777)
    layer["etc/passwd"] = regular(PASSWD)
    layer["etc/group"] = regular(GROUP)
    layer["etc/nsswitch.conf"] = regular("hosts: files dns\n")
    layer["bin/busybox"] = regular(busybox, 0o755)
    listed = subprocess.run([BUSYBOX, "--list-full"], check=True, capture_output=True, text=True)
    for applet in listed.stdout.split():
        path = applet.lstrip("/")
        if path in ("bin/busybox", "linuxrc") or os.path.dirname(path) not in layer:
            continue
        layer[path] = symlink("/bin/busybox")
    return layer


def layer_tar(layer):
    """The uncompressed tar of a layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(layer):
            entry = layer[path]
            info = tarfile.TarInfo(path)
            info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.uid, entry.gid, 0
            if entry.kind == "dir":
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif entry.kind == "link":
                info.type, info.linkname = tarfile.SYMTYPE, entry.target
                tar.addfile(info)
            else:
                info.size = len(entry.data)
                tar.addfile(info, io.BytesIO(entry.data))
    return out.getvalue()


class Layer:
    """A layer as it is stored; made once, however many images share it."""

    def __init__(self, entries, compression=6):
        tar = layer_tar(entries)
        self.diff_id = digest(tar)
        self.blob = gzip.compress(tar, compresslevel=compression, mtime=0)


class Image:
    """The blobs of one image: layers (dicts of entries, or Layers), config and manifest, by digest."""

    def __init__(self, layers=None, config=None, arch=None):
        self.blobs = {}
        config = dict(config or {})
        config.setdefault("Env", ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
        config.setdefault("Cmd", ["sh"])
        self.layer_digests, diff_ids, descriptors = [], [], []
        for layer in layers if layers is not None else [busybox_layer()]:
            if not isinstance(layer, Layer):
                layer = Layer(layer)
            diff_ids.append(layer.diff_id)
            self.layer_digests.append(self._add(layer.blob))
            descriptors.append(
                {"mediaType": OCI_LAYER, "digest": self.layer_digests[-1], "size": len(layer.blob)}
            )
        self.config_json = json.dumps(
            {
                "created": "1970-01-01T00:00:00Z",
                "architecture": arch or architecture(),
                "os": "linux",
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
                "history": [{"created": "1970-01-01T00:00:00Z"} for _ in diff_ids],
            },
            sort_keys=True,
        ).encode()
        self.id = self._add(self.config_json)
        self.manifest_json = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": {
                    "mediaType": OCI_CONFIG,
                    "digest": self.id,
                    "size": len(self.config_json),
                },
                "layers": descriptors,
            },
            sort_keys=True,
        ).encode()
        self.digest = self._add(self.manifest_json)

    def _add(self, blob):
        self.blobs[digest(blob)] = blob
        return digest(blob)

    def descriptor(self, platform_arch=None):
        result = {
            "mediaType": OCI_MANIFEST,
            "digest": self.digest,
            "size": len(self.manifest_json),
        }
        if platform_arch:
            result["platform"] = {"architecture": platform_arch, "os": "linux"}
        return result


def make_index(images_by_arch):
    """The bytes of an index over images, keyed by architecture."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [image.descriptor(arch) for arch, image in images_by_arch.items()],
        },
        sort_keys=True,
    ).encode()


def write_archive(path, images_by_tag):
    """Writes images, keyed by full reference, as OCI layout and docker-save in one plain tar."""
    files, index, docker = {}, [], {}
    for tag, image in images_by_tag.items():
        for name, blob in image.blobs.items():
            files["blobs/" + name.replace(":", "/")] = blob
        descriptor = image.descriptor()
        descriptor["annotations"] = {
            "io.containerd.image.name": tag,
            "org.opencontainers.image.ref.name": tag.rsplit(":", 1)[-1],
        }
        index.append(descriptor)
        saved = docker.setdefault(
            image.id,
            {
                "Config": "blobs/" + image.id.replace(":", "/"),
                "RepoTags": [],
                "Layers": ["blobs/" + d.replace(":", "/") for d in image.layer_digests],
            },
        )
        saved["RepoTags"].append(tag)
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    files["index.json"] = json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": index}
    ).encode()
    files["manifest.json"] = json.dumps(list(docker.values())).encode()
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in ("blobs", "blobs/sha256"):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(files[name]), 0o644
            tar.addfile(info, io.BytesIO(files[name]))
