"""cc_proto: C++ from .proto files by Debian's protoc, lite or full, with or without gRPC."""

def cc_proto(name, srcs, deps = [], grpc = False, lite = False, visibility = None):
    """A cc_library of the generated classes.

    Args:
      name: the library.
      srcs: .proto files of this package; they import by their path from the workspace root.
      deps: other cc_proto targets whose .proto files are imported.
      grpc: generate service stubs also.
      lite: the .proto files say `optimize_for = LITE_RUNTIME`. The binary chooses what it
        links: //third_party/protobuf:protobuf_lite, or the full library if it has that anyway.
      visibility: as usual.
    """
    outs = []
    for src in srcs:
        base = src[:-len(".proto")]
        outs += [base + ".pb.h", base + ".pb.cc"]
        if grpc:
            outs += [base + ".grpc.pb.h", base + ".grpc.pb.cc"]

    native.filegroup(
        name = name + "_protos",
        srcs = srcs + [dep + "_protos" for dep in deps],
        visibility = ["//visibility:public"],
    )
    native.genrule(
        name = name + "_gen",
        srcs = srcs + [dep + "_protos" for dep in deps],
        outs = outs,
        cmd = "protoc -I. --cpp_out=$(GENDIR) " +
              ("--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=$(GENDIR) " if grpc else "") +
              " ".join(["$(location %s)" % src for src in srcs]),
        visibility = ["//visibility:private"],
    )
    native.cc_library(
        name = name,
        srcs = [out for out in outs if out.endswith(".cc")],
        hdrs = [out for out in outs if out.endswith(".h")],
        copts = ["-w"],
        visibility = visibility,
        deps = deps + ([] if lite else ["//third_party/protobuf"]) + (["//third_party/grpc"] if grpc else []),
    )
