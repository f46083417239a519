//! The header is what the library is, what the contract asks, and clean under every compiler.

#[macro_use]
mod harness;
#[path = "header/declarations.rs"]
mod declarations;

use declarations::{Declarations, member_name};
use harness::{Link, Program, compile, compiler, has_program, library, run, scratch, source};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const GENERATED: &str = include_str!(concat!(env!("OUT_DIR"), "/parmap.h"));

fn contract() -> Declarations {
    let mut contract = Declarations::of(&fs::read_to_string(source("tests/c/contract.h")).unwrap());
    // An initialiser has no value of its own; it is compiled below.
    contract.constants.retain(|(name, _)| name != "PAR_OPTIONS_INIT");
    contract
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let committed = source("include/parmap.h");
    if std::env::var("BLESS").is_ok_and(|value| value == "1") {
        fs::write(&committed, GENERATED).unwrap();
    }
    let same = fs::read_to_string(&committed).unwrap() == GENERATED;
    assert!(same, "include/parmap.h is not what build.rs makes of the source: run this test with BLESS=1");
}

/// Uses the header as a careful program does: twice included, initialiser in C and C++.
const CAREFUL_USER: &str = "
#include <parmap.h>
#include <parmap.h>
static const par_options at_rest = PAR_OPTIONS_INIT;
int main(void)
{
    par_options options = PAR_OPTIONS_INIT;
    return options.size == sizeof(par_options) && at_rest.report == NULL && PAR_VERSION == par_version() ? 0 : 1;
}
";

#[test]
fn the_header_is_clean_as_c99_c11_c17_and_cxx17_under_gcc_and_clang() {
    let test = "the_header_is_clean_as_c99_c11_c17_and_cxx17_under_gcc_and_clang";
    let file = scratch().join("careful_user");
    fs::write(&file, CAREFUL_USER).unwrap();
    for (c, cxx) in [("gcc", "g++"), ("clang", "clang++")] {
        for name in [c, cxx] {
            if !has_program(name) {
                skip!(test, format!("{name} is not installed"));
            }
        }
        for (name, language, standard) in
            [(c, "c", "c99"), (c, "c", "c11"), (c, "c", "c17"), (cxx, "c++", "c++17"), (cxx, "c++", "c++20")]
        {
            let mut command = Command::new(name);
            command.args(["-Wall", "-Wextra", "-pedantic", "-Wundef", "-Werror", "-fsyntax-only"]);
            command.arg(format!("-std={standard}")).arg("-I").arg(source("include")).args(["-x", language]).arg(&file);
            let done = run(&mut command);
            assert!(done.status.success(), "{name} -std={standard}:\n{}", done.err);
        }
    }
}

#[test]
fn a_cxx_program_links_and_runs() {
    let test = "a_cxx_program_links_and_runs";
    if !has_program("g++") {
        skip!(test, "g++ is not installed");
    }
    let (file, output) = (scratch().join("user.cc"), scratch().join("user"));
    fs::write(&file, CAREFUL_USER).unwrap();
    let mut command = Command::new("g++");
    command.arg("-I").arg(source("include")).arg(&file).arg("-o").arg(&output).arg("-L").arg(library());
    run(command.arg("-lparmap").arg(format!("-Wl,-rpath,{}", library().display()))).succeeded();
    run(&mut Command::new(&output)).succeeded();
}

#[test]
fn every_name_of_the_contract_is_declared() {
    let declared = Declarations::of(GENERATED);
    let declared: BTreeSet<&str> = declared.names().collect();
    let contract = contract();
    for name in contract.names() {
        assert!(declared.contains(name), "the contract's {name} is not in parmap.h");
    }
}

/// A C file that compiles only where parmap.h declares what the contract declares: every constant with the same type and
/// value, also for the preprocessor; every struct with the same members in the same places (more may follow); every
/// typedef and function once more, which C allows if it is the same.
fn comparison(contract: &Declarations) -> String {
    let mut text = String::from("#include <parmap.h>\n");
    for (name, value) in &contract.constants {
        text += &format!("_Static_assert(({name}) == ({value}), \"the value of {name}\");\n");
        text += &format!(
            "_Static_assert(__builtin_types_compatible_p(__typeof__({name}), __typeof__({value})), \"the type of {name}\");\n"
        );
        text += &format!("#if ({name}) != ({value})\n#error \"{name} for the preprocessor\"\n#endif\n");
    }
    for (name, declaration) in contract.typedefs.iter().chain(&contract.functions) {
        text += &format!("/* {name} */ {declaration};\n");
    }
    for (name, members) in &contract.structs {
        text += &format!("typedef struct {{ {}; }} contract_{name};\n", members.join("; "));
        for member in members.iter().map(|member| member_name(member)) {
            let place = format!("offsetof({name}, {member}) == offsetof(contract_{name}, {member})");
            text += &format!("_Static_assert({place}, \"the place of {name}.{member}\");\n");
            let kind = |name: &str| format!("__typeof__((({name} *)0)->{member})");
            let same = format!("__builtin_types_compatible_p({}, {})", kind(name), kind(&format!("contract_{name}")));
            text += &format!("_Static_assert({same}, \"the type of {name}.{member}\");\n");
        }
        text += &format!("_Static_assert(sizeof({name}) >= sizeof(contract_{name}), \"the size of {name}\");\n");
        text +=
            &format!("_Static_assert(_Alignof({name}) == _Alignof(contract_{name}), \"the alignment of {name}\");\n");
    }
    text
}

fn compare(contract: &Declarations, file: &str) -> harness::Finished {
    let file = scratch().join(file);
    fs::write(&file, comparison(contract)).unwrap();
    let mut command = compiler(None);
    run(command
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"])
        .arg(source("include"))
        .arg(&file))
}

#[test]
fn constants_layouts_types_and_functions_are_those_of_the_contract() {
    let contract = contract();
    assert!(contract.structs.iter().any(|(name, members)| name == "par_options" && members.len() == 21));
    let done = compare(&contract, "contract.c");
    assert!(done.status.success(), "{}", done.err);
}

/// The comparison would see a difference of any kind.
#[test]
fn a_contract_that_differs_is_told_apart() {
    let whole = fs::read_to_string(source("tests/c/contract.h")).unwrap();
    for (number, (is, would_be)) in [
        ("#define PAR_EITEM 2 ", "#define PAR_EITEM 3 "),
        ("#define PAR_ITEM_OK 1u", "#define PAR_ITEM_OK 1"),
        ("size_t done, failed; ", "size_t failed, done; "),
        ("int32_t os_error, reserved;", "uint32_t os_error, reserved;"),
        ("char message[256]", "char message[128]"),
        ("typedef int par_status", "typedef unsigned par_status"),
        ("size_t end, void *ctx);         /*", "size_t end, const void *ctx);         /*"),
        ("par_cpu_count(void)", "par_cpu_count(int)"),
        ("const par_bytes *in, par_bytes *out", "par_bytes *in, par_bytes *out"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(whole.contains(is), "{is}");
        let mut other = Declarations::of(&whole.replacen(is, would_be, 1));
        other.constants.retain(|(name, _)| name != "PAR_OPTIONS_INIT");
        let done = compare(&other, &format!("other-{number}.c"));
        assert!(!done.status.success(), "nobody noticed {would_be}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let declared = Declarations::of(GENERATED);
    let value =
        |name: &str| declared.constants.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(value("PAR_VERSION_MAJOR"), Some(env!("CARGO_PKG_VERSION_MAJOR")));
    assert_eq!(value("PAR_VERSION_MINOR"), Some(env!("CARGO_PKG_VERSION_MINOR")));
    assert_eq!(value("PAR_VERSION_PATCH"), Some(env!("CARGO_PKG_VERSION_PATCH")));
    assert_eq!(value("PAR_VERSION_STRING"), Some(concat!("\"", env!("CARGO_PKG_VERSION"), "\"")));
}

#[test]
fn the_marked_region_is_what_cffi_reads() {
    let test = "the_marked_region_is_what_cffi_reads";
    let python = scratch().join("cffi/bin/python");
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(scratch().join("cffi")));
    if !made.status.success() {
        skip!(test, format!("python3 makes no virtual environment: {}{}", made.out, made.err));
    }
    let got =
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "cffi"]));
    if !got.status.success() {
        skip!(test, format!("pip gets no cffi: {}", got.err.lines().last().unwrap_or_default()));
    }
    let script = "
import sys, cffi
text = open(sys.argv[1]).read()
region = text.split('/* cffi: begin */')[1].split('/* cffi: end */')[0]
ffi = cffi.FFI()
ffi.cdef(region)
library = ffi.dlopen(sys.argv[2])
numbers = ffi.new('int[]', [1, 2, 3])
negative = ffi.new('int[3]')
@ffi.callback('par_map_fn')
def negate(item, result, ctx):
    ffi.cast('int *', result)[0] = -ffi.cast('const int *', item)[0]
    return 0
options = ffi.new('par_options *', {'size': ffi.sizeof('par_options'), 'workers': 2})
assert library.par_map(negate, ffi.NULL, numbers, 4, negative, 4, 3, options) == library.PAR_OK
assert list(negative) == [-1, -2, -3]
print(ffi.sizeof('par_options'), ffi.sizeof('par_report'))
";
    let mut command = Command::new(&python);
    command.args(["-c", script]).arg(source("include/parmap.h")).arg(library().join("libparmap.so.0"));
    let sizes = run(&mut command).succeeded();

    let file = scratch().join("sizes.c");
    fs::write(&file, "#include <parmap.h>\n#include <stdio.h>\nint main(void) { printf(\"%zu %zu\\n\", sizeof(par_options), sizeof(par_report)); return 0; }\n").unwrap();
    let program = compile(&Program::new(file.to_str().unwrap(), Link::Shared));
    assert_eq!(sizes, run(&mut Command::new(program)).succeeded());
}

#[test]
fn the_shared_library_exports_the_functions_of_the_header_and_nothing_else() {
    let listed = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library().join("libparmap.so"))).succeeded();
    let exported: BTreeSet<&str> = listed.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    let declared = Declarations::of(GENERATED);
    let declared: BTreeSet<&str> = declared.functions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(exported, declared);
}

#[test]
fn the_shared_library_has_its_name_and_stays_loaded() {
    let dynamic = run(Command::new("readelf").arg("-d").arg(library().join("libparmap.so"))).succeeded();
    assert!(dynamic.contains("soname: [libparmap.so.0]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

#[test]
fn the_static_library_needs_what_the_tests_link() {
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let built = library().join("libparmap.a").canonicalize().unwrap();
    let built = built.parent().unwrap();
    let file = scratch().join("whole.rs");
    fs::write(&file, "extern crate parmap;").unwrap();
    let mut command = Command::new(rustc);
    command.args(["--edition=2024", "--crate-type=staticlib", "--print=native-static-libs", "-L"]).arg(built);
    command.arg("--extern").arg(format!("parmap={}", built.join("libparmap.rlib").display()));
    let done = run(command.arg("--out-dir").arg(scratch()).arg(&file));
    assert!(done.status.success(), "{}", done.err);
    let needs = done.err.lines().find_map(|line| line.split_once("native-static-libs: ")).expect("rustc says it").1;
    let needs: BTreeSet<&str> = needs.split_whitespace().collect();
    assert_eq!(needs, harness::STATIC_NEEDS.iter().copied().collect());
}
