#include "cri/containerd/managed_containerd.h"
