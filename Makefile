# libparmap. `make` builds it, `make help` lists the rest. Needed: Rust, a C compiler, make; for the demo and the tests
# also Python 3.11 or later. `make check` fetches what else it can from Debian.

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR    ?=
CC         ?= cc
CARGO      ?= cargo
PYTHON     ?= python3
export CC PYTHON

VERSION   := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
MAJOR     := $(word 1,$(subst ., ,$(VERSION)))
MINOR     := $(word 2,$(subst ., ,$(VERSION)))
SOVERSION := 0
BUILT_IN  := target/release
BUILT      = $(BUILT_IN)/libparmap.so $(BUILT_IN)/libparmap.a

.PHONY: build help setup demo check bench install uninstall clean
.DEFAULT_GOAL := build

build: ## build the library: target/release/libparmap.so and libparmap.a
	$(CARGO) build --release --target-dir target
	@ln -sf libparmap.so target/release/libparmap.so.$(SOVERSION)

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

setup: ## install what the tests want and lack: Debian packages, and MPIs from PyPI into target/mpi
	@tests/setup
	@tests/mpi/setup

demo: build ## see it run: from C, a CPython extension, ctypes and cffi, beside multiprocessing; under a minute
	@c-examples/demo

check: ## all tests, after setting up for them; under 15 minutes
	@tests/watch 600 tests/check

bench: build ## compare speed with the peers that are installed; tables and picture go to target/bench; half an hour
	@benches/run
	@benches/processes/run
	@$(PYTHON) benches/pools.py
	@benches/commands/run --python target/bench/pools/bin/python
	-@benches/sync/run
	-@benches/mpi/run

# ---- installing -----------------------------------------------------------------------------------------------------

FILL := sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' -e 's|@SOVERSION@|$(SOVERSION)|g' \
	-e 's|@MAJOR@|$(MAJOR)|g' -e 's|@MINOR@|$(MINOR)|g'
FILL_PATHS := -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g'
# In the .pc file paths below the prefix follow it, so that pkg-config --define-prefix can move them.
FILL_MOVABLE := -e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|g' \
	-e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|g'
ifneq ($(filter-out /%,$(PREFIX)),)
$(error PREFIX is '$(PREFIX)', which is no absolute path: write $(abspath $(PREFIX)))
endif
TO_LIB     = $(DESTDIR)$(LIBDIR)
TO_INCLUDE = $(DESTDIR)$(INCLUDEDIR)

# What is built is installed as it is, because `sudo make install` rarely finds cargo.
install: $(if $(filter-out $(wildcard $(BUILT)),$(BUILT)),build) ## install below PREFIX (LIBDIR, INCLUDEDIR, DESTDIR)
	install -d $(TO_INCLUDE) $(TO_LIB)/pkgconfig $(TO_LIB)/cmake/parmap
	install -m 644 include/parmap.h $(TO_INCLUDE)/parmap.h
	install -m 644 $(BUILT_IN)/libparmap.a $(TO_LIB)/libparmap.a
	install -m 755 $(BUILT_IN)/libparmap.so $(TO_LIB)/libparmap.so.$(VERSION)
	ln -sf libparmap.so.$(VERSION) $(TO_LIB)/libparmap.so.$(SOVERSION)
	ln -sf libparmap.so.$(SOVERSION) $(TO_LIB)/libparmap.so
	$(FILL) $(FILL_MOVABLE) packaging/parmap.pc.in > $(TO_LIB)/pkgconfig/parmap.pc
	$(FILL) $(FILL_PATHS) packaging/parmapConfig.cmake.in > $(TO_LIB)/cmake/parmap/parmapConfig.cmake
	$(FILL) packaging/parmapConfigVersion.cmake.in > $(TO_LIB)/cmake/parmap/parmapConfigVersion.cmake
	@echo "libparmap $(VERSION) is in $(TO_LIB)."
	@echo "Programs find it there once ldconfig has run as root, if the system looks there, or with LD_LIBRARY_PATH=$(LIBDIR);"
	@echo "pkg-config with PKG_CONFIG_PATH=$(LIBDIR)/pkgconfig."

uninstall: ## remove what install put there, given the same variables
	rm -f $(TO_INCLUDE)/parmap.h $(TO_LIB)/libparmap.a $(TO_LIB)/pkgconfig/parmap.pc
	rm -f $(TO_LIB)/libparmap.so $(TO_LIB)/libparmap.so.$(SOVERSION) $(TO_LIB)/libparmap.so.$(VERSION)
	rm -rf $(TO_LIB)/cmake/parmap

clean: ## remove everything that was built
	rm -rf target
