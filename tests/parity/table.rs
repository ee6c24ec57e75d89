//! The table in the head of this suite, held against the sources.

use std::collections::BTreeSet;
use std::path::Path;

/// How many behaviours there are.
const ROWS: usize = 40;

/// The source of a suite, or nothing where there is none.
pub fn source(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Whether there is a test of this name in it.
pub fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let function = format!("fn {name}(");
    let at = lines
        .iter()
        .position(|line| line.trim_start_matches("async ").starts_with(&function));
    // Nothing but attributes stands between the two.
    at.is_some_and(|at| {
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        above.into_iter().any(|line| line.contains("test"))
    })
}

#[test]
fn every_row_has_a_test_that_exists() {
    let suite = source("parity.rs");
    let rows = suite.lines().filter_map(|line| line.strip_prefix("//! | "));
    let mut seen = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let Ok(number) = cells[0].parse::<usize>() else {
            continue;
        };
        let (file, name) = cells[2].split_once(": ").expect("a file and a function");
        let (file, name) = (file.trim_matches('`'), name.trim_matches('`'));
        assert!(
            has_test(&source(file), name),
            "row {number}: there is no test {name} in {file}"
        );
        seen.insert(number);
    }
    assert_eq!(seen, (1..=ROWS).collect(), "a row for each behaviour");
}
