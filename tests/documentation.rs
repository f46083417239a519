//! docs/tested.md says which test holds which promise; the tests it names exist. What README.md shows can be copied.

mod harness;

use harness::{Link, Program, compile, scratch, source};
use std::fs;
use std::path::Path;

/// The text of all files below a folder that can hold a test.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() {
            sources(&path, text);
        } else if let Ok(source) = fs::read_to_string(&path) {
            text.push_str(&source);
        }
    }
}

#[test]
fn every_test_that_tested_md_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/tested.md")).expect("docs/tested.md");
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    sources(&root.join("tests"), &mut text);
    let words: std::collections::HashSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();

    let second_columns = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1));
    let named: Vec<&str> = second_columns.flat_map(|column| column.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 30, "the table was not understood: {named:?}");
    let gone: Vec<&&str> = named.iter().filter(|name| !words.contains(**name)).collect();
    assert!(gone.is_empty(), "docs/tested.md names tests that are not there: {gone:#?}");
}

#[test]
fn every_c_program_of_the_readme_compiles_as_it_stands() {
    let page = fs::read_to_string(source("README.md")).expect("README.md");
    let programs: Vec<&str> =
        page.split("```c\n").skip(1).map(|rest| rest.split("```").next().expect("a block has an end")).collect();
    assert!(programs.len() >= 5, "README.md was not understood: it has {} C programs", programs.len());
    for (number, program) in programs.iter().enumerate() {
        let path = scratch().join(format!("readme{number}.c"));
        fs::write(&path, program).expect("target/tmp can be written");
        compile(&Program::new(path.to_str().expect("a path that is text"), Link::Shared));
    }
}
