//! Row 32: files beside the endpoint, and where the endpoint is.

use std::fs;
use std::path::PathBuf;

use sansocket::http::StaticFiles;

use crate::engine::options;
use crate::host::{Hosted, echo};
use crate::server::Server;
use crate::session::sid_of;

/// A directory for one test, which is gone after it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("sansocket-parity-{name}-{}", std::process::id());
        let this = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(this.0.join("public/sub")).expect("a directory");
        for (name, text) in [
            ("secret.txt", "secret"),
            ("public/index.html", "index"),
            ("public/app.js", "app"),
            ("public/sub/index.html", "sub"),
            ("public/sub/home.html", "home"),
        ] {
            fs::write(this.0.join(name), text).expect("a file");
        }
        this
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn assert_files(server: &Server, files: &[(&str, Option<(&str, &str)>)]) {
    for (target, file) in files {
        let response = server.get(target);
        match file {
            None => assert_eq!(response.status, 404, "{target}"),
            Some((text, content_type)) => {
                response.assert_ok(text);
                let told = response.header("content-type").unwrap_or_default();
                assert!(told.starts_with(content_type), "{target}: {told}");
            }
        }
    }
}

#[test]
fn row_32_static_files() {
    let directory = Directory::new("files");
    let (index, public) = (directory.path("public/index.html"), directory.path("public"));
    let server = echo(&[
        "--static",
        &format!("/={index}"),
        "--static",
        &format!("/static={public}"),
    ]);
    assert_files(
        &server,
        &[
            ("/", Some(("index", "text/html"))),
            ("/static/app.js", Some(("app", "text/javascript"))),
            ("/static/sub/", Some(("sub", "text/html"))),
            ("/static/missing.js", None),
            ("/static/../secret.txt", None),
            ("/static/%2e%2e/secret.txt", None),
            ("/staticfoo", None),
            ("/elsewhere", None),
        ],
    );
    server.finish();
    let files = StaticFiles::new()
        .route_as("/app", directory.path("public/app.js"), "application/x-own")
        .route("/pages", directory.path("public"))
        .index("home.html");
    let hosted = Hosted::echo(options().fallback(files));
    assert_files(
        &hosted.server,
        &[
            ("/app", Some(("app", "application/x-own"))),
            ("/pages/sub/", Some(("home", "text/html"))),
            ("/pages/", None),
        ],
    );
    hosted.finish();
}

#[test]
fn row_32_another_path() {
    for path in ["chat", "/chat", "chat/", "/chat/"] {
        let server = echo(&["--path", path]);
        let target = "/chat/?EIO=4&transport=polling";
        let open = server.get(target);
        assert_eq!(open.status, 200, "{path}");
        assert_eq!(server.get("/engine.io/?EIO=4&transport=polling").status, 404, "{path}");
        let target = format!("{target}&sid={}", sid_of(open.text()));
        server.post(&target, "1").assert_ok("ok");
        server.finish();
    }
}
