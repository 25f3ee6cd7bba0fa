#include "cri/containerd/grpc_status.h"
