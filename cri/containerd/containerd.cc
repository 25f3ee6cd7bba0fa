#include "cri/containerd/containerd.h"
