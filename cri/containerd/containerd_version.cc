#include "cri/containerd/containerd_version.h"
