//! The chat's page: what is served beside the endpoint.

use sansocket::http::{Request, Response};

/// Each file of the page: its path, its type, and what is in it.
const FILES: [(&str, &str, &str); 7] = [
    ("/", "text/html; charset=UTF-8", include_str!("page/index.html")),
    ("/chat.css", "text/css; charset=UTF-8", include_str!("page/chat.css")),
    (
        "/chat.js",
        "text/javascript; charset=UTF-8",
        include_str!("page/chat.js"),
    ),
    (
        "/socketio.js",
        "text/javascript; charset=UTF-8",
        include_str!("page/socketio.js"),
    ),
    (
        "/engineio.js",
        "text/javascript; charset=UTF-8",
        include_str!("page/engineio.js"),
    ),
    (
        "/view.js",
        "text/javascript; charset=UTF-8",
        include_str!("page/view.js"),
    ),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// How the page says where the endpoint is.
const ENDPOINT: &str = "/socket.io/";

/// Where a client of npm's may come from, besides this server: the project's own place, and the machine that the browser is
/// on. No others: whoever makes somebody open a link with `?client=` could else run any script in this page.
const CLIENTS: &str = " https://cdn.socket.io http://localhost:* http://127.0.0.1:*";

/// A file of the page; `None` for every other path.
pub fn answer(request: &Request, endpoint: &str) -> Option<Response> {
    let (path, kind, content) = FILES.into_iter().find(|(path, ..)| *path == request.path())?;
    if !matches!(request.method(), "GET" | "HEAD") {
        return None;
    }
    let content = match path {
        "/" => content.replace(ENDPOINT, &escaped(endpoint)),
        _ => content.to_owned(),
    };
    let clients = match path == "/" && request.query_value("client").is_some() {
        true => CLIENTS,
        false => "",
    };
    let policy = format!(
        "default-src 'none'; script-src 'self'{clients}; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'"
    );
    let response = Response::new(200)
        .header("Content-Type", kind)
        .header("Content-Security-Policy", policy)
        .header("X-Content-Type-Options", "nosniff")
        .header("Referrer-Policy", "no-referrer")
        // It comes with the program, and changes with it.
        .header("Cache-Control", "no-cache");
    Some(response.body(content))
}

/// As the value of an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

/// The endpoint must leave the page its place.
///
/// # Errors
/// It is in its way.
pub fn check_path(endpoint: &str) -> sansocket::Result<()> {
    match FILES.iter().any(|(path, ..)| path.starts_with(endpoint)) {
        true => Err(sansocket::Error::Unusable {
            what: "path",
            why: "the chat's page is there",
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_not_become_markup() {
        assert_eq!(escaped(r#"/a"><b>&/"#), "/a&quot;>&lt;b>&amp;/");
    }

    #[test]
    fn the_page_has_the_root() {
        assert!(check_path("/").is_err());
        assert!(check_path("/socket.io/").is_ok());
    }
}
