#include "cri/containerd/containerd_process.h"
