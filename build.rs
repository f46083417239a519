//! Writes parmap.h from the documented Rust source, and gives the shared library its name.
//!
//! The header goes to OUT_DIR only: a test holds the committed include/parmap.h equal to it, and updates it when run with
//! BLESS=1. Each section comes from the files named here, in the order of a page one reads from top to bottom.

use std::{env, fs, path::Path};

const SECTIONS: &[(&str, &[&str])] = &[
    ("statuses and item states", &["abi/status"]),
    ("bytes and memory", &["abi/bytes", "capi/memory"]),
    ("callbacks: never throw, never longjmp out", &["abi/callbacks"]),
    ("options and report", &["abi/options"]),
    ("the calls", &["capi/calls"]),
    ("commands", &["abi/commands", "capi/commands"]),
    ("meeting point: one thread per handle, not across fork", &["abi/sync", "capi/sync"]),
    ("ranks: one thread at a time; every call initialises by itself", &["abi/mpi", "capi/mpi"]),
    ("about the library and the machine", &["capi/about"]),
];

fn main() {
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=cbindgen.toml");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("parmap.h"), header()).expect("OUT_DIR can be written");

    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libparmap.so.0");
        // Worker threads run this code for ever, so it must never be unmapped.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

fn header() -> String {
    let config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml is well-formed");
    let mut text = opening();
    for (title, files) in SECTIONS {
        let line = "-".repeat(112 - title.len());
        text += &format!("\n/* ---- {title} {line} */\n\n");
        let mut config = config.clone();
        let mut builder = cbindgen::Builder::new();
        for file in *files {
            let path = format!("src/{file}.rs");
            // cbindgen leaves out a type that no function of its section uses.
            config.export.include.extend(types(&fs::read_to_string(&path).expect("a section's file is there")));
            builder = builder.with_src(path);
        }
        let mut section = Vec::new();
        builder.with_config(config).generate().expect("the interface is plain C").write(&mut section);
        text += &tidy(String::from_utf8(section).expect("cbindgen writes UTF-8").trim());
    }
    text + CLOSING
}

fn types(source: &str) -> impl Iterator<Item = String> {
    source
        .lines()
        .filter_map(|line| line.strip_prefix("pub type ").or(line.strip_prefix("pub struct ")))
        .filter_map(|rest| rest.split([' ', '=', '{']).next())
        .map(String::from)
}

/// Sets a comment of one line on one line, and behind the constant that it explains, so that constants read as a table.
fn tidy(section: &str) -> String {
    let mut text = String::new();
    let mut lines = section.lines().peekable();
    let mut after_constant = false;
    while let Some(line) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.trim() != "/**" {
            text += &format!("{line}\n");
            after_constant = false;
            continue;
        }
        let mut comment: Vec<&str> = lines.by_ref().map(str::trim).take_while(|line| *line != "*/").collect();
        comment.iter_mut().for_each(|line| *line = line.trim_start_matches('*'));
        let what = if comment.len() == 1 { lines.next_if(|line| line.starts_with("#define")) } else { None };
        match what {
            Some(constant) => {
                if after_constant {
                    text.pop(); // the empty line between two rows of the table
                }
                text += &format!("{constant:<32} /*{} */\n", comment[0]);
                after_constant = true;
                if let Some(empty) = lines.next_if(|line| line.is_empty()) {
                    text += &format!("{empty}\n");
                }
            }
            None if comment.len() == 1 => text += &format!("{indent}/*{} */\n", comment[0]),
            None => {
                text += &format!("{indent}/*{}\n", comment[0]);
                comment[1..].iter().for_each(|line| text += &format!("{indent} *{line}\n"));
                text += &format!("{indent} */\n");
            }
        }
    }
    text
}

fn opening() -> String {
    let part = |name: &str| {
        env::var(format!("CARGO_PKG_VERSION_{name}")).expect("cargo sets the version").parse::<u32>().expect("a number")
    };
    let (major, minor, patch) = (part("MAJOR"), part("MINOR"), part("PATCH"));
    let number = major << 16 | minor << 8 | patch;
    format!(
        r#"/* libparmap {major}.{minor}.{patch}: a parallel map for everything that speaks C.
 *
 * Generated from the library's Rust source; do not edit. Link with -lparmap (pkg-config: parmap).
 *
 * Rules that hold for every call:
 * - Callbacks run at once, in no promised order, on threads that the library owns and on the calling thread, or in forked
 *   workers (PAR_PROCESSES). They may call par_* themselves. They must not throw, longjmp out, or end their thread.
 * - Items must not wait for one another: one worker may have to run them all, since the system may refuse threads and short
 *   calls stay on the calling thread.
 * - A call returns only when no callback of it is running any more. What callbacks wrote is then visible to the caller.
 * - Any thread may call at any time, also in a forked child. A child that is forked inside a callback may call, too, and
 *   must end itself (exec, _exit): it must not return from the callback.
 * - The library installs no signal handler and starts no thread before the first call that needs one.
 *
 * Licence: MIT OR Apache-2.0
 */
#ifndef PARMAP_H
#define PARMAP_H

#include <stddef.h>
#include <stdint.h>

#define PAR_VERSION_STRING "{major}.{minor}.{patch}"

/* Every field, so that no compiler warns of a missing one. */
#define PAR_OPTIONS_INIT \
    {{ sizeof(par_options), 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }}

#ifdef __cplusplus
extern "C" {{
#endif

/* cffi: begin */

#define PAR_VERSION_MAJOR {major}
#define PAR_VERSION_MINOR {minor}
#define PAR_VERSION_PATCH {patch}
#define PAR_VERSION 0x{number:06x}u /* major << 16 | minor << 8 | patch */
"#
    )
}

const CLOSING: &str = r#"
/* cffi: end */

#ifdef __cplusplus
}
#endif
#endif
"#;
