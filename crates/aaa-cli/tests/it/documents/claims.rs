//! What a document claims, and what it names to show that.

use std::{fs, path::Path};

/// Returns what stands under a heading of the second level.
pub(super) fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

/// Returns the cells of a table, without its head; the first table is number 0.
pub(super) fn rows(section: &str, number: usize) -> Vec<Vec<&str>> {
    let mut tables: Vec<Vec<Vec<&str>>> = Vec::new();
    let mut inside = false;
    for line in section.lines() {
        let cells = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
        if let Some(cells) = cells {
            if !inside {
                tables.push(Vec::new());
            }
            let table = tables.last_mut().unwrap();
            table.push(cells.split('|').map(str::trim).collect());
        }
        inside = cells.is_some();
    }
    // The head and the line below it.
    tables.swap_remove(number).split_off(2)
}

/// Returns the tests and commands that a cell names. A file of Rust alone is not enough: it says
/// nothing about which of its tests is meant.
pub(super) fn names(cell: &str) -> Vec<&str> {
    let quoted: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
    let names: Vec<_> = quoted
        .into_iter()
        .filter(|name| name.starts_with("cargo ") || name.contains(".rs"))
        .collect();
    for name in &names {
        let is_test = name.split_once("::").is_some_and(|(file, _)| file.ends_with(".rs"));
        assert!(is_test || name.starts_with("cargo "), "`{name}` names no test");
    }
    names
}

/// Makes sure that a file has a test: a function of the name, below an attribute that makes it one.
pub(super) fn find(root: &Path, name: &str) {
    let (file, test) = name.split_once("::").unwrap();
    let text = fs::read_to_string(root.join(file));
    let text = text.unwrap_or_else(|error| panic!("`{name}`: {file}: {error}"));
    let begins = format!("fn {test}(");
    let at = text.lines().position(|line| line.contains(&begins));
    let at = at.unwrap_or_else(|| panic!("`{name}`: {file} has no function {test}"));
    let above = text.lines().take(at).collect::<Vec<_>>();
    let mut attributes = above.iter().rev().take_while(|line| !line.is_empty());
    let is_test = attributes.any(|line| line.contains("test]") || line.contains("test("));
    assert!(is_test, "`{name}`: {test} is no test");
}

/// Reads all files of Rust below a directory.
pub(super) fn read_all(directory: &Path, into: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn claims_are_read() {
    let text = "# a\n\n## One\n\n| | x |\n|---|---|\n| b | `c.rs::d`, `cargo e`, `f` |\n\n| g |\n|---|\n\n\
                ## Two\n";
    let one = section(text, "One");
    assert_eq!(rows(one, 0), [["b", "`c.rs::d`, `cargo e`, `f`"]]);
    assert_eq!(rows(one, 1), Vec::<Vec<&str>>::new());
    assert_eq!(names(rows(one, 0)[0][1]), ["c.rs::d", "cargo e"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    find(root, "tests/it/documents/claims.rs::claims_are_read");
    for wrong in ["::find", "::nobody"] {
        let name = format!("tests/it/documents/claims.rs{wrong}");
        assert!(std::panic::catch_unwind(|| find(root, &name)).is_err(), "{name}");
    }
    assert!(std::panic::catch_unwind(|| names("`tests/it/documents/claims.rs`")).is_err());
}
