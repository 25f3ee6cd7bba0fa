//go:build tools

// Package tools names the commands of other projects that the tests run, so
// that `go mod tidy` keeps their dependencies in go.mod and go.sum.
package tools

import (
	_ "github.com/onsi/ginkgo/v2/ginkgo"
	_ "sigs.k8s.io/cri-tools/cmd/crictl"
	_ "sigs.k8s.io/cri-tools/cmd/critest"
)
