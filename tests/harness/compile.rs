//! From a C file to a program, linked as a user would link it.

use super::run;
use std::collections::HashMap;
use std::env::consts::ARCH;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// How a program finds the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// `-lparmap`, found again at run time through the program's rpath
    Shared,
    /// the whole library inside the program
    Static,
    /// the same with the system's libraries, so that nothing is loaded at run time
    Alone,
    /// not linked: the program opens `libparmap.so.0` itself, and its rpath says where that is
    Opened,
}

/// What the static library needs beside itself; `header.rs` holds this against what rustc says.
pub const STATIC_NEEDS: &[&str] = &["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];

/// Every C file of the project compiles with these.
const STRICT: &[&str] = &["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Wundef", "-Werror"];

/// A program to be: C files, named from the crate's root, and how to build them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program {
    pub sources: Vec<String>,
    pub link: Link,
    pub compiler: Option<&'static str>,
    pub flags: Vec<&'static str>,
}

impl Program {
    pub fn new(source: &str, link: Link) -> Program {
        Program { sources: vec![source.into()], link, compiler: None, flags: Vec::new() }
    }

    /// A program of `tests/c`, with the main function that keeps one promise.
    pub fn of_promises(name: &str) -> Program {
        let link = if name == "opened" { Link::Opened } else { Link::Shared };
        let mut program = Program::new(&format!("tests/c/{name}.c"), link);
        program.sources.push("tests/c/promise.c".into());
        program
    }

    pub fn with(mut self, flags: &[&'static str]) -> Program {
        self.flags.extend(flags);
        self
    }

    pub fn by(mut self, compiler: &'static str) -> Program {
        self.compiler = Some(compiler);
        self
    }
}

/// Compiles a program, once per test binary, and says where it is.
pub fn compile(program: &Program) -> PathBuf {
    type Built = HashMap<Program, Result<PathBuf, String>>;
    static BUILT: OnceLock<Mutex<Built>> = OnceLock::new();

    let result = {
        let mut built = BUILT.get_or_init(Mutex::default).lock().expect("no compilation panics");
        let number = built.len();
        built.entry(program.clone()).or_insert_with(|| build(program, number)).clone()
    };
    result.unwrap_or_else(|complaint| panic!("{complaint}"))
}

fn build(program: &Program, number: usize) -> Result<PathBuf, String> {
    let first = Path::new(&program.sources[0]);
    let name = first.file_stem().expect("a C file has a name").to_string_lossy();
    let output = scratch().join(format!("{name}-{number}"));

    let mut command = compiler(program.compiler);
    command.args(STRICT).args(&program.flags).arg("-I").arg(source("include"));
    command.arg("-o").arg(&output).args(program.sources.iter().map(|path| source(path)));
    match program.link {
        Link::Shared => command.arg("-L").arg(library()).arg("-lparmap").arg(rpath()),
        Link::Static => command.arg(library().join("libparmap.a")).args(STATIC_NEEDS),
        Link::Alone => command.arg("-static").arg(library().join("libparmap.a")),
        Link::Opened => command.arg(rpath()).arg("-ldl"),
    };
    command.args(["-lpthread", "-lm"]);

    let done = run(&mut command);
    if done.status.success() { Ok(output) } else { Err(format!("{command:?}\n{}", done.err)) }
}

fn rpath() -> String {
    format!("-Wl,-rpath,{}", library().display())
}

/// A compiler with the flags of its platform: the one `cc` finds (it honours `CC`), or one by name.
pub fn compiler(name: Option<&str>) -> Command {
    let target = format!("{ARCH}-unknown-linux-gnu");
    let mut build = cc::Build::new();
    build.target(&target).host(&target).opt_level(1).debug(true).cargo_metadata(false);
    if let Some(name) = name {
        build.compiler(name);
    }
    build.get_compiler().to_command()
}

/// Whether a program of this name can be run.
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// A path from the crate's root.
pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// This test binary's own folder below `target/`, empty at first.
pub fn scratch() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let program = std::env::current_exe().expect("a running test knows its path");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(program.file_name().expect("a program has a name"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("target/tmp can be written");
        folder
    })
}

/// A folder with the library as an installation lays it out: `libparmap.so`, `libparmap.so.0`, `libparmap.a`.
///
/// Cargo leaves the library that belongs to a test beside the test itself; the copy one folder up is older.
pub fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let program = std::env::current_exe().expect("a running test knows its path");
        let built = program.parent().expect("a program lies in a folder");
        let folder = scratch().join("lib");
        fs::create_dir_all(&folder).expect("target/tmp can be written");
        for (name, file) in
            [("libparmap.so", "libparmap.so"), ("libparmap.so.0", "libparmap.so"), ("libparmap.a", "libparmap.a")]
        {
            let file = built.join(file);
            assert!(file.exists(), "{} is missing: cargo test builds it", file.display());
            symlink(&file, folder.join(name)).expect("target/tmp can hold links");
        }
        folder
    })
}
