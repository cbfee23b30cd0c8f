# Huika. `make` alone lists what there is to make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go
# What a long run takes, per fuzz target and in simulation seeds.
FUZZTIME ?= 3m
SEEDS ?= 10000
PAYMENTS ?= 20000000

web_lock    := $(wildcard web/package-lock.json)
web_sources := $(shell find web -name node_modules -prune -o -name dist -prune -o -path web/built -prune -o \
                 -type f \( -name '*.ts' -o -name '*.tsx' -o -name '*.css' -o -name '*.html' -o -name '*.json' -o -name '*.svg' \) -print 2>/dev/null)
# Our own Go files: npm packages hold some too.
go_files     = $(shell find . -name node_modules -prune -o -name '*.go' -print)
# The packages in which a slip costs money; `make quick` tests them.
critical    := ./pay ./rt ./keys/... ./emv/... ./iso8583/... ./card/... ./terminal/... ./acquirer/... ./world/... ./sim/... ./archtest

##@ Start here
.PHONY: help setup build demo
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo

setup: ## install what is missing on this machine (Debian packages, npm packages), saying what it does
	@scripts/setup

build: bin/huika ## build the web pages and bin/huika

demo: build ## build and start everything on this machine, and make a first tap
	bin/huika demo

##@ While working
.PHONY: quick test check bench soak clean
quick: build ## under a minute: build, and the short tests of the packages that move money
	$(GO) test -short -vet=off $(critical)

test: setup build ## every test: all of Go's, the short ones again under the race detector, the web's and the browser's
	$(GO) test -vet=off -timeout 20m ./...
	$(GO) test -vet=off -timeout 20m -race -short ./...
ifneq ($(web_lock),)
	npm test --prefix web
	npm run e2e --prefix web
endif

check: bin/staticcheck web/node_modules/.installed ## gofmt, go vet, staticcheck; the web's lint and types
	@unformatted="$$(gofmt -l $(go_files))"; \
	if [ -n "$$unformatted" ]; then printf 'not in gofmt form:\n%s\n' "$$unformatted" >&2; exit 1; fi
	$(GO) vet ./...
	bin/staticcheck ./...
ifneq ($(web_lock),)
	npm run lint --prefix web
	npm run types --prefix web
endif

bench: ## benchmarks of every package
	$(GO) test -vet=off -run '^$$' -bench . -benchmem ./...

soak: build ## hours: every fuzz target for FUZZTIME (3m), the simulation with SEEDS (10000) seeds, books of PAYMENTS (20 million), load
	HUIKA_SEEDS=$(SEEDS) HUIKA_SOAK=1 $(GO) test -vet=off -count 1 -timeout 4h ./...
	bin/huika bench books --payments $(PAYMENTS) --every $$(( $(PAYMENTS) / 20 ))
	bin/huika bench host --seconds 60
	scripts/fuzz $(FUZZTIME)

clean: ## remove what was built
	rm -rf bin
	git clean -qfdX web/built

# What the targets above stand on.
.PHONY: FORCE
bin/huika: FORCE bin/.web # go build knows best whether anything has changed
	$(GO) build -o $@ ./cmd/huika

bin/.web: web/node_modules/.installed $(web_sources)
ifneq ($(web_lock),)
	@if command -v npm >/dev/null; then npm run build --prefix web; \
	else echo 'no npm here: the web pages stay the placeholder (make setup says what to install)' >&2; fi
endif
	@mkdir -p bin && touch $@

web/node_modules/.installed: $(web_lock)
ifneq ($(web_lock),)
	@if command -v npm >/dev/null; then npm ci --prefix web; fi
endif
	@mkdir -p web/node_modules && touch $@

bin/staticcheck: tools/go.mod tools/go.sum
	cd tools && $(GO) build -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
