//! Handlers that are wrong are errors of the compiler's, which point at them, are short, and say what to do.
//!
//! Each program in `tests/compile_errors` has a comment `//~ TEXT` in each line that is wrong: there has to be an error at
//! that line with that text, and none anywhere else. Nothing more of the compiler's words is looked at, since they change
//! from one version to the next.

#![cfg(all(feature = "cli", unix))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use serde_json::Value;

/// How many lines an error may have, so that it can be read without scrolling.
const READABLE: usize = 36;

/// What a line of a program should be told.
type Expected = BTreeMap<(String, u64), String>;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A package with all the programs, whose dependencies are those of this one.
fn package() -> (PathBuf, Expected) {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_errors");
    let programs = package.join("src/bin");
    // What an earlier run may have left.
    let _absent = fs::remove_dir_all(package.join("src"));
    fs::create_dir_all(&programs).expect("the target folder can be written to");
    let manifest = format!(
        "[package]\nname = \"wrong\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         sansocket = {{ path = {:?}, features = [\"tokio\", \"blocking\"] }}\n",
        repository()
    );
    fs::write(package.join("Cargo.toml"), manifest).expect("it can be written to");
    // The same versions, so that nothing has to be downloaded.
    fs::copy(repository().join("Cargo.lock"), package.join("Cargo.lock")).expect("it is there");
    let mut expected = Expected::new();
    for entry in fs::read_dir(repository().join("tests/compile_errors")).expect("it is there") {
        let path = entry.expect("it can be read").path();
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("it can be read");
        for (line, number) in text.lines().zip(1..) {
            if let Some((_, told)) = line.split_once("//~ ") {
                expected.insert((name.clone(), number), told.trim().to_owned());
            }
        }
        fs::write(programs.join(name).with_extension("rs"), text).expect("it can be written to");
    }
    (package, expected)
}

#[test]
fn wrong_handlers_are_pointed_at() {
    let (package, mut expected) = package();
    assert!(expected.len() > 20, "where are the programs?");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["check", "--offline", "--bins", "--keep-going", "--message-format=json"])
        .current_dir(&package)
        // A folder of its own: whoever runs the tests may be building in the other one.
        .env("CARGO_TARGET_DIR", package.join("target"))
        .env_remove("RUSTFLAGS")
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(!output.status.success(), "all of them compile");
    for message in output.stdout.split(|byte| *byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<Value>(message) else {
            continue;
        };
        let (told, program) = (&message["message"], &message["target"]["name"]);
        if told["level"] != "error" || told["spans"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        let rendered = told["rendered"].as_str().expect("it is for people too");
        let spans = told["spans"].as_array().expect("it was looked at");
        let primary = spans.iter().find(|span| span["is_primary"] == true);
        let line = primary
            .and_then(|span| span["line_start"].as_u64())
            .expect("it points somewhere");
        let program = program.as_str().expect("it has a name").to_owned();
        match expected.remove(&(program, line)) {
            Some(text) => assert!(rendered.contains(&text), "{text:?} is not in\n{rendered}"),
            None => panic!("not expected here:\n{rendered}"),
        }
        assert!(rendered.lines().count() <= READABLE, "too long:\n{rendered}");
    }
    assert!(expected.is_empty(), "these are taken without a word: {expected:?}");
}
