# lockd. `make` explains what there is; every target does all of its own set-up.

SHELL       := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS   := -X main.version=$(VERSION)
PLATFORMS := linux/amd64 linux/arm64 darwin/arm64
COMMANDS  := lockd lockctl
# Every module but the product itself, so that none is forgotten; tools/grpcurl has no code of ours.
MODULES   := $(patsubst ./%/go.mod,%,$(shell find . -mindepth 2 -name go.mod -not -path './.*/*' -not -path './tools/grpcurl/*'))
# Bounds on how late something may be (50 and 100 ms, 2 s): alone on the machine, without the race detector.
TIMING    := clients/go/deadlinetest test/promptness test/quorum
GO        := go
PROFILE   ?= single
# Where scripts/topology keeps what it starts.
TOPOLOGY  ?= .topology
# Of docker-compose.yml, so that all of them are ended.
PROFILES  := memory,single,sentinel,cluster,redlock
DOCKER    := docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1

.PHONY: help build man run up down demo bench bench-check test check need need-protoc lint generated darwin generate dist clean FORCE

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/lockd and bin/lockctl
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(COMMANDS:%=./cmd/%)

man: build ## bin/man: the manual pages of lockctl; read them with: man -M bin/man lockctl
	rm -rf bin/man
	bin/lockctl man bin/man/man1

run: build ## lockd with leases in memory; more with: make run ARGS='--redis redis://localhost:6379'
	exec bin/lockd $(ARGS)

up: ## lockd before a Redis: PROFILE=single, sentinel, cluster or redlock; without Docker the Redis alone, as plain processes
	@if $(DOCKER); then \
		echo 'with Docker Compose: lockd on 127.0.0.1:7420' >&2; \
		VERSION=$(VERSION) docker compose --profile $(PROFILE) up --build --detach --wait; \
	else \
		echo 'Docker, with Compose, is not here: scripts/topology starts plain redis-server processes' >&2; \
		flags=$$(scripts/topology up $(PROFILE) --dir $(TOPOLOGY)); \
		echo "and lockd before them: make run ARGS='$$flags'"; \
	fi

down: ## end what make up started; the data stays for the next one
	@if $(DOCKER); then \
		echo 'with Docker Compose' >&2; \
		COMPOSE_PROFILES=$(PROFILES) docker compose down; \
	fi
	@scripts/topology down --dir $(TOPOLOGY)

demo: build ## the story: a paused worker's late write is refused by its token (under 30 s once built)
	cd examples/ledger && $(GO) build -trimpath -o ../../bin/ledger .
	bin/ledger demo --lockd bin/lockd

# etcd is compared if it is there (Debian: etcd-server).
bench: need ## lockd beside its peers: 15 min on a quiet machine; ARGS=-short 2 min, ARGS=-h says more; make bench-check guards the costs
	cd bench && $(GO) build -trimpath -o ../bin/bench .
	bin/bench $(ARGS)

bench-check: need ## what a change must not make worse: Redis's calls, allocations, messages; a minute
	cd bench && $(GO) build -trimpath -o ../bin/bench .
	bin/bench -check

# The tests run real programs, which Go's test cache does not know of: nothing is taken from it.
# `make check test` runs them once, since one make runs a target once. The other modules go without
# the race detector: building the example's database with it takes minutes of a new machine.
test: need .bin/noskip ## every test of every module; one that is skipped is a failure
	.bin/noskip -race -count=1 $$($(GO) list ./... | grep -v $(TIMING:%=-e '/%$$'))
	.bin/noskip -p=1 -count=1 $(TIMING:%=./%)
	for module in $(MODULES); do \
		(cd $$module && $(CURDIR)/.bin/noskip -count=1 ./...); \
	done

check: lint generated darwin test ## what CI runs: format, vet, staticcheck, generated code, darwin, every test

need:
	tools/need cc groff redis-server protoc python3-grpcio promtool

lint: .bin/staticcheck
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted; run gofmt -w on:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	.bin/staticcheck ./...
	for module in $(MODULES); do (cd $$module && $(GO) vet ./... && $(CURDIR)/.bin/staticcheck ./...); done

generated: need-protoc
	tools/generated-is-current

darwin:
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) vet ./...

generate: need-protoc ## the Go code of proto/
	tools/generate

need-protoc:
	tools/need protoc

dist: ## static binaries and their checksums in dist/
	rm -rf dist && mkdir dist
	for platform in $(PLATFORMS); do for command in $(COMMANDS); do \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) build -trimpath -ldflags '-s -w $(LDFLAGS)' \
			-o dist/$$command-$${platform%/*}-$${platform#*/} ./cmd/$$command; \
	done; done
	cd dist && if command -v sha256sum >/dev/null; then sha256sum -- *-*; else shasum -a 256 -- *-*; fi > SHA256SUMS

clean: ## what the other targets made
	rm -rf bin dist .bin

# Go knows best whether they are current.
.bin/noskip: FORCE
	cd tools && $(GO) build -o ../.bin/ ./noskip
.bin/staticcheck: FORCE
	cd tools && $(GO) build -o ../.bin/ honnef.co/go/tools/cmd/staticcheck
FORCE:
