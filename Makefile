# make demo    sends a real file from one process to another on this machine
# make test    everything that must pass; installs what it needs
# make soak    the long versions: ten thousand lab seeds, fuzzing
# make matrix  every kind of network meets every other, 100 times; writes the table of docs/connectivity.md
# make crash   kills both sides 300 times in the middle of trees; disks that fail, by simulation
# make web     makes the page of the window from internal/gui/web/src; it needs npm
# make release VERSION=X.Y.Z  programs for all systems, archives, packages: dist/ (docs/release.md)
# make load    a helper on one core: requests a second, a million rooms, a minute of garbage
# make bench   figures of the real program beside the least possible, nc, rsync and scp
# make browser      the window, through a real Chromium
# make screenshots  its pictures in docs/pictures

SHELL := /bin/bash
export CGO_ENABLED ?= 1
FUZZTIME ?= 2s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: all build demo test units browser screenshots check cross fuzz soak web web-check matrix crash load bench tools release clean

all: build

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/qft ./cmd/qft

demo: build
	./scripts/demo bin/qft

test: tools check web-check cross units
	go test -race -shuffle=on -timeout 20m ./e2e
	cd tools && go test -count=1 -timeout 10m ./release
	$(MAKE) --no-print-directory browser
	./scripts/fuzz $(FUZZTIME)

# units: every package in full; those with goroutines again under the race
# detector, with fewer seeds of what is slow there. The longest come first, so
# that all cores have something to do until the end.
SINGLE := beacon congestion congestion/rival digest lab lab/tcp manifest nat proxy rendezvous secret stun survey token transport
others = $$(go list ./... | grep -vx -e '.*/e2e.*' -e qft -e qft/internal/transfer $(1:%=-e qft/internal/%))
units:
	go test -count=1 -shuffle=on -timeout 10m ./internal/transport ./internal/transfer . $(call others,transport)
	go test -race -count=1 -shuffle=on -timeout 10m ./internal/transfer . $(call others,$(SINGLE))

# browser: the window, through a real Chromium.
browser:
	cd tools && go test -count=1 -parallel 4 -timeout 10m ./browser

# screenshots: the pictures in docs/pictures.
screenshots: internal/gui/web/node_modules
	mkdir -p docs/pictures
	cd tools && QFT_PICTURES=$(CURDIR)/docs/pictures go test -count=1 -run TestPictures ./browser

# check: what a compiler does not say.
check:
	@unformatted=$$(gofmt -l . ); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	go vet ./...
	go mod verify
	go run $(STATICCHECK) ./...

# cross: builds for the systems that are promised, as releases and tests of other
# systems do; all of them in soak.
SYSTEMS ?= linux/amd64 linux/arm64 linux/arm darwin/arm64 windows/amd64 freebsd/amd64
cross:
	@for t in $(SYSTEMS); do \
	  echo "build $$t"; GOOS=$${t%/*} GOARCH=$${t#*/} GOARM=6 CGO_ENABLED=0 go build -trimpath -o /dev/null ./cmd/qft || exit 1; done

# tools: what the tests of the real program use; elsewhere they skip.
tools:
	@./scripts/tools

fuzz:
	./scripts/fuzz 60s

soak:
	$(MAKE) cross SYSTEMS="linux/riscv64 linux/mipsle linux/386 darwin/amd64 windows/arm64 freebsd/arm64 android/arm64"
	QFT_SEEDS=10000 go test -timeout 2h -run 'TestMeetings|TestSessionsComeAndGo' -v .
	./scripts/fuzz 5m
	cd tools && for n in 1 2; do go run ./release -try -root .. -out ../dist/$$n -version "$$(sed -n 's/.*Version = "\(.*\)"/\1/p' ../qft.go)" || exit 1; done
	cmp dist/1/SHA256SUMS dist/2/SHA256SUMS

web: internal/gui/web/node_modules
	cd tools && go run ./web ../internal/gui
	cd internal/gui/web && npx --no-install tsc --noEmit -p .

# web-check: what is embedded is what its sources make, and they are sound.
web-check:
	@command -v npm >/dev/null || { echo "web-check: needs npm; skipped"; exit 0; }; \
	$(MAKE) --no-print-directory internal/gui/web/node_modules && \
	(cd tools && go run ./web -check ../internal/gui) && (cd internal/gui/web && npx --no-install tsc --noEmit -p .)

internal/gui/web/node_modules: internal/gui/web/package-lock.json
	cd internal/gui/web && npm ci --no-audit --no-fund --ignore-scripts
	touch $@

matrix:
	QFT_MATRIX=$${QFT_MATRIX:-100} QFT_MATRIX_FILE=docs/connectivity.md go test -count=1 -timeout 60m -run 'TestConnectivity$$' .

crash: tools
	QFT_CRASH=300 go test -timeout 60m -run 'PowerFails|DiskFails' ./internal/transfer
	QFT_CRASH=320 go test -timeout 60m -parallel 6 -run 'TestCrash' -v ./e2e

load: tools
	QFT_BENCH=1 go test -count=1 -timeout 10m -run 'TestBenchHelper' -v ./e2e

bench: tools
	go test -run '^$$' -bench . -benchtime 1x ./internal/udp ./internal/lab ./internal/secret ./internal/transfer ./internal/transport ./internal/rendezvous
	QFT_BENCH=1 go test -count=1 -timeout 30m -run 'TestBench' -v ./e2e

# release: TRY=-try takes a tree with changes, TARGETS=linux/amd64,… only some.
release:
	cd tools && go run ./release $(TRY) -root .. -out ../dist -version "$(VERSION)" -targets "$(TARGETS)"

clean:
	rm -rf bin dist
