//! What `make install` leaves behind is what pkg-config and CMake users need, wherever it is put.

#[macro_use]
mod harness;

use harness::{compiler, library, run, scratch, source};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const OUTPUT: &str = concat!("parmap ", env!("CARGO_PKG_VERSION"), " squared 100 numbers\n");

/// `make` at the crate's root, with the library that belongs to this test, and nothing of a `make` around it.
fn make(target: &str, variables: &[String]) -> Command {
    let mut command = Command::new("make");
    command.arg("--no-print-directory").arg("-C").arg(source("."));
    command.arg(target).arg(format!("BUILT_IN={}", library().display())).args(variables);
    for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "DESTDIR", "PREFIX", "LIBDIR", "INCLUDEDIR"] {
        command.env_remove(name);
    }
    command
}

/// Installs below a fresh prefix and answers it.
fn installed(name: &str) -> PathBuf {
    let prefix = scratch().join(name);
    run(&mut make("install", &[format!("PREFIX={}", prefix.display())])).succeeded();
    prefix
}

fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// What pkg-config says of an installation below `prefix`.
fn pkg_config(prefix: &Path, flags: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args(flags).arg("parmap");
    run(&mut command).succeeded().split_whitespace().map(String::from).collect()
}

/// Compiles the user's program with the flags given, into `program`.
fn compile(flags: &[String], program: &Path) {
    let mut command = compiler(None);
    command.arg(source("tests/packaging/use_parmap.c")).args(flags).arg("-o").arg(program);
    run(&mut command).succeeded();
}

#[test]
fn pkg_config_finds_the_shared_library() {
    if !exists("pkg-config") {
        skip!("pkg_config_finds_the_shared_library", "pkg-config is not installed (Debian package pkg-config)");
    }
    let prefix = installed("shared");
    let program = prefix.join("program");
    compile(&pkg_config(&prefix, &["--cflags", "--libs"]), &program);
    let output =
        run(Command::new("env").arg(format!("LD_LIBRARY_PATH={}", prefix.join("lib").display())).arg(&program));
    assert_eq!(output.succeeded(), OUTPUT);
}

#[test]
fn pkg_config_links_a_program_that_needs_nothing_at_run_time() {
    const NAME: &str = "pkg_config_links_a_program_that_needs_nothing_at_run_time";
    if !exists("pkg-config") {
        skip!(NAME, "pkg-config is not installed (Debian package pkg-config)");
    }
    let prefix = installed("static");
    let program = prefix.join("program");
    let mut flags = vec!["-static".to_string()];
    flags.extend(pkg_config(&prefix, &["--static", "--cflags", "--libs"]));
    compile(&flags, &program);
    fs::remove_dir_all(prefix.join("lib")).expect("the installation can be removed");
    assert_eq!(run(&mut Command::new(&program)).succeeded(), OUTPUT);
}

#[test]
fn pkg_config_knows_the_version() {
    if !exists("pkg-config") {
        skip!("pkg_config_knows_the_version", "pkg-config is not installed (Debian package pkg-config)");
    }
    assert_eq!(pkg_config(&installed("version"), &["--modversion"]), [env!("CARGO_PKG_VERSION")]);
}

/// Configures and builds the project of tests/packaging against what is installed below `prefix`.
fn cmake(prefix: &Path, wanted: &str) -> harness::Finished {
    let build = scratch().join(format!("cmake-{wanted}"));
    let mut command = Command::new("cmake");
    command.arg("-S").arg(source("tests/packaging")).arg("-B").arg(&build);
    command.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())).arg(format!("-DWANTED={wanted}"));
    run(&mut command)
}

#[test]
fn cmake_finds_the_shared_and_the_static_library_also_after_a_move() {
    const NAME: &str = "cmake_finds_the_shared_and_the_static_library_also_after_a_move";
    if !exists("cmake") {
        skip!(NAME, "cmake is not installed (Debian package cmake)");
    }
    let moved = scratch().join("moved");
    fs::rename(installed("cmake"), &moved).expect("the installation can be moved");
    cmake(&moved, "0.1").succeeded();
    let build = scratch().join("cmake-0.1");
    run(Command::new("cmake").arg("--build").arg(&build)).succeeded();
    assert_eq!(run(&mut Command::new(build.join("shared"))).succeeded(), OUTPUT);
    fs::remove_file(moved.join("lib/libparmap.so.0")).expect("the shared library can be removed");
    assert_eq!(run(&mut Command::new(build.join("static"))).succeeded(), OUTPUT);
}

#[test]
fn cmake_refuses_a_version_that_may_not_fit() {
    if !exists("cmake") {
        skip!("cmake_refuses_a_version_that_may_not_fit", "cmake is not installed (Debian package cmake)");
    }
    let prefix = installed("refused");
    for wanted in ["0.0", "0.1.99", "0.2", "1.0"] {
        let refusal = cmake(&prefix, wanted);
        assert!(!refusal.status.success() && refusal.err.contains("parmap"), "{wanted}: {}", refusal.err);
    }
}

#[test]
fn a_staged_installation_names_the_place_where_it_will_be() {
    let stage = scratch().join("stage");
    let variables =
        [format!("DESTDIR={}", stage.display()), "PREFIX=/usr".into(), "LIBDIR=/usr/lib/x86_64-linux-gnu".into()];
    run(&mut make("install", &variables)).succeeded();
    let folder = stage.join("usr/lib/x86_64-linux-gnu");
    let module = fs::read_to_string(folder.join("pkgconfig/parmap.pc")).expect("the pkg-config file");
    assert!(module.contains("prefix=/usr\nlibdir=${prefix}/lib/x86_64-linux-gnu\nincludedir=${prefix}/include\n"));
    assert!(!module.contains('@') && stage.join("usr/include/parmap.h").is_file());

    run(&mut make("uninstall", &variables)).succeeded();
    let left = run(Command::new("find").arg(&stage).args(["-not", "-type", "d"])).succeeded();
    assert_eq!(left, "", "uninstall leaves nothing that install has put there");
}

#[test]
fn the_shared_library_is_found_by_the_name_that_programs_ask_for() {
    let folder = installed("names").join("lib");
    let full = concat!("libparmap.so.", env!("CARGO_PKG_VERSION"));
    assert_eq!(fs::read_link(folder.join("libparmap.so")).expect("a link"), Path::new("libparmap.so.0"));
    assert_eq!(fs::read_link(folder.join("libparmap.so.0")).expect("a link"), Path::new(full));
    assert!(fs::symlink_metadata(folder.join(full)).expect("the library").is_file());
}

#[test]
fn a_relative_prefix_is_refused_with_the_absolute_one() {
    let refusal = run(&mut make("install", &["PREFIX=out".into()]));
    assert!(!refusal.status.success() && refusal.err.contains("PREFIX is 'out'"), "{}", refusal.err);
}
