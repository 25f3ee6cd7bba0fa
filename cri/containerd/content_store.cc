#include "cri/containerd/content_store.h"
