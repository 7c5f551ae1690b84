//! What the documents tell people to type is typed here.
//!
//! A block of commands says by its first line what it is:
//!
//! * `sh`: run, line by line, and each line has to succeed;
//! * `sh background`: servers, each in a terminal of its own; run until the document ends;
//! * `sh elsewhere`: needs X, an account, the network or root. It is not run, but its `aaa` commands
//!   have to exist with their flags.
//!
//! Every document is run in an empty directory, with `aaa` and `cargo` in the path. `cargo run -- …`
//! is the binary under test; of the other commands of cargo it is only looked up whether they exist,
//! since some of them run this test.

mod blocks;
mod claims;
mod shell;

use std::{fmt::Write, fs, path::PathBuf};

use self::{
    blocks::{Block, Mark, read},
    shell::Shell,
};

/// The repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The documents: name and text, sorted by name.
fn documents() -> Vec<(String, String)> {
    let root = root();
    let mut names = vec!["CONTRIBUTING.md".to_owned(), "README.md".to_owned()];
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // The reference is generated from the binary, and a check of its own compares them.
        if name.ends_with(".md") && name != "REFERENCE.md" {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    let text = |name: &String| fs::read_to_string(root.join(name)).unwrap();
    names.iter().map(|name| (name.clone(), text(name))).collect()
}

#[tokio::test]
async fn what_the_documents_say_is_done() {
    for (name, text) in documents() {
        let blocks = read(&text);
        if !blocks.iter().any(|block| block.mark.is_command()) {
            continue;
        }
        let mut shell = Shell::new(&root());
        for block in &blocks {
            for command in block.commands() {
                let place = format!("{name}:{}: {command}", block.line);
                match block.mark {
                    Mark::Run => shell.run(&command, &place).await,
                    Mark::Background => shell.start(&command, &place).await,
                    Mark::Elsewhere => shell.exists(&command, &place).await,
                    Mark::Other => {}
                }
            }
        }
        shell.end().await;
    }
}

/// Nothing is left out without being counted.
#[test]
fn what_is_not_run_is_counted() {
    let mut table = String::new();
    for (name, text) in documents() {
        let blocks = read(&text);
        let count = |mark: Mark| {
            let of = blocks.iter().filter(|block| block.mark == mark);
            of.map(|block| block.commands().len()).sum::<usize>()
        };
        let other = blocks.iter().filter(|block| block.mark == Mark::Other).count();
        let (run, background, elsewhere) =
            (count(Mark::Run), count(Mark::Background), count(Mark::Elsewhere));
        if run + background + elsewhere + other > 0 {
            writeln!(
                table,
                "{name}: {run} run, {background} in the background, {elsewhere} looked up; {other} \
                 blocks of something else"
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(table, @r"
    CONTRIBUTING.md: 25 run, 0 in the background, 4 looked up; 0 blocks of something else
    README.md: 8 run, 2 in the background, 0 looked up; 1 blocks of something else
    docs/EMULATOR.md: 1 run, 1 in the background, 2 looked up; 2 blocks of something else
    docs/PARITY.md: 3 run, 0 in the background, 0 looked up; 0 blocks of something else
    docs/RELIABILITY.md: 0 run, 0 in the background, 1 looked up; 0 blocks of something else
    docs/SCALING.md: 0 run, 0 in the background, 1 looked up; 2 blocks of something else
    docs/getting-started.md: 10 run, 2 in the background, 10 looked up; 1 blocks of something else
    docs/how-replay-works.md: 6 run, 2 in the background, 3 looked up; 1 blocks of something else
    docs/local-development.md: 1 run, 1 in the background, 4 looked up; 0 blocks of something else
    docs/moving-from-other-libraries.md: 0 run, 0 in the background, 0 looked up; 1 blocks of something else
    docs/moving-from-v1.1.md: 5 run, 2 in the background, 6 looked up; 0 blocks of something else
    docs/production.md: 0 run, 0 in the background, 11 looked up; 6 blocks of something else
    docs/troubleshooting.md: 0 run, 0 in the background, 2 looked up; 0 blocks of something else
    ");
}

/// What the tables of the README promise is shown by tests and commands that exist.
#[tokio::test]
async fn each_claim_names_what_shows_it() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let promises = claims::rows(claims::section(&readme, "The promises, and what shows each"), 0);
    assert!(promises.len() >= 5, "{promises:?}");
    let beside = claims::section(&readme, "Beside the alternatives");
    let (compared, shown) = (claims::rows(beside, 0), claims::rows(beside, 1));
    let claimed: Vec<_> = compared.iter().filter(|row| row[1] != "no").map(|row| row[0]).collect();
    let named: Vec<_> = shown.iter().map(|row| row[0]).collect();
    assert!(claimed.len() >= 10, "{claimed:?}");
    assert_eq!(claimed, named, "the two tables of the comparison differ");
    let mut shell = Shell::new(&root());
    for row in promises.iter().chain(&shown) {
        let names = claims::names(row[1]);
        assert!(!names.is_empty(), "nothing shows this: {}", row[0]);
        for name in names {
            let place = format!("README.md: {}: {name}", row[0]);
            match name.strip_prefix("cargo ") {
                // Looked up, and not run.
                Some("run -- demo") => shell.exists(name, &place).await,
                Some(_) => shell.run(name, &place).await,
                None => claims::find(&root(), name),
            }
        }
    }
    shell.end().await;
}

/// Each fault that is survived names tests that are there.
#[test]
fn every_fault_names_tests_that_are_there() {
    let text = fs::read_to_string(root().join("docs/RELIABILITY.md")).unwrap();
    let mut code = String::new();
    for directory in ["crates", "xtask"] {
        claims::read_all(&root().join(directory), &mut code);
    }
    let faults = claims::rows(claims::section(&text, "Faults"), 0);
    assert!(faults.len() >= 29);
    for fault in &faults {
        let shown = fault[3].split('`').skip(1).step_by(2);
        // Commands are looked up by their blocks, targets of fuzzing are single words.
        let tests: Vec<_> = shown.filter(|name| name.matches('_').count() > 1).collect();
        for test in &tests {
            assert!(code.contains(&format!("fn {test}(")), "{}: there is no {test}", fault[0]);
        }
        assert!(!tests.is_empty() || fault[3].contains('`'), "{} names nothing", fault[0]);
    }
}

/// Whoever looks for a guide or an example finds it from the README.
#[test]
fn the_readme_leads_to_every_guide_and_example() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for (directory, ending) in [("docs", ".md"), ("examples", ".rs"), ("examples", "languages")] {
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let link = format!("]({directory}/{name})");
            assert!(!name.ends_with(ending) || readme.contains(&link), "no link to {name}");
        }
    }
}

/// A link into the repository leads somewhere.
#[test]
fn links_lead_somewhere() {
    for (name, text) in documents() {
        let directory = root().join(&name).parent().unwrap().to_owned();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            assert!(directory.join(target).exists(), "{name} links to {target}");
        }
    }
}

#[test]
fn a_block_says_what_it_is() {
    let blocks = read(
        "text\n```sh\naaa demo # now\naaa events \\\n  list\n\n# a comment\n```\n```sh background\naaa \
         listen\n```\n```json\n{}\n```\n~~~\nnot ours\n~~~\n",
    );
    let marks: Vec<_> = blocks.iter().map(|block| (block.line, block.mark)).collect();
    assert_eq!(marks, [(2, Mark::Run), (9, Mark::Background), (12, Mark::Other)]);
    let commands: Vec<_> = blocks.iter().flat_map(Block::commands).collect();
    assert_eq!(commands, ["aaa demo # now", "aaa events list", "aaa listen"]);
}
