//! Values that can not be used are refused in one line, with exit status 2.

use crate::program::program;

#[test]
fn wrong_values() {
    for flags in [
        &["--cookie", "a b"][..],
        &["--cookie", ""],
        &["--cookie", "io; Colour=red"],
        &["--cookie", "io; Max-Age=soon"],
        &["--cookie", "io; SameSite=None"],
        &["--cookie", "io; Path=/a\r\nX: y"],
        &["--concurrency", "0"],
        &["--max-queue", "10"],
        &["--path", "/a/", "--path", "/b c/"],
        &["--header", "X-A"],
        &["--header", "Content-Length: 1"],
        &["--initial-header", "X A: 1"],
        &["--trust-proxy", "localhost"],
        &["--trust-proxy", "10.0.0.0/40"],
        &["--static", "static=public"],
        &["--static", "/static"],
        &["--compression-threshold", "1KiB"],
        &["--max-sessions", "-1"],
    ] {
        let output = program(&["serve", "--addr", "127.0.0.1:0"])
            .args(flags)
            .output()
            .expect("the program runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{flags:?}: {errors}");
        assert!(output.stdout.is_empty());
    }
}
