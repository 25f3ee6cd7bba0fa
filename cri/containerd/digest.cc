#include "cri/containerd/digest.h"
