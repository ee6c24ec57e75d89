//! Files, by the rules of Python's server.

mod conditions;
mod content_type;
#[cfg(test)]
mod tests;

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::endpoint::percent_decoded;
use super::{FilePart, Request, Response};
use conditions::{Validators, Verdict};

/// Files to serve beside the endpoint: a mapping of paths to files and directories, as in Python's `static_files`.
///
/// ```
/// use sansocket::http::StaticFiles;
///
/// let files = StaticFiles::new()
///     .route("/", "public/index.html")
///     .route("/static", "public")
///     .route_as("/data", "data.bin", "application/x-data");
/// ```
///
/// - A path that is routed to a file is that file.
/// - What lies below a path that is routed to a directory lies below that directory. The longest path counts. Routed to a
///   directory, `/` is whatever has no route of its own.
/// - A directory is its `index.html` (see [`index`](Self::index)), under its path with a slash; without the slash, a browser
///   is sent there.
/// - The type of a file comes from its name, or from its route.
/// - What leads out of a directory is not found: neither `..` nor a symbolic link does. (The routes themselves may name
///   links.) Nor is anything found that is no plain file. Files whose names begin with a dot are files like others.
///
/// `GET` and `HEAD` are served, with conditions (`If-None-Match`, `If-Modified-Since`, …) and one range, and nothing is
/// held in memory but the part that is being sent. Browsers ask whether a file has changed, each time, unless
/// [`cache_control`](Self::cache_control) says otherwise.
#[derive(Clone, Debug, Default)]
#[must_use = "files are served by a server that is given them"]
pub struct StaticFiles(Arc<Rules>);

#[derive(Clone, Debug)]
struct Rules {
    routes: Vec<Route>,
    index: Cow<'static, str>,
    index_type: Option<Cow<'static, str>>,
    cache_control: Cow<'static, str>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            index: "index.html".into(),
            index_type: None,
            cache_control: "no-cache".into(),
        }
    }
}

#[derive(Clone, Debug)]
struct Route {
    /// The parts of the path, without slashes.
    segments: Vec<String>,
    /// The path ends with a slash, also where it is that of a file.
    has_slash: bool,
    target: PathBuf,
    content_type: Option<Cow<'static, str>>,
}

/// What a path leads to.
enum Found {
    File(PathBuf),
    /// That of a directory.
    Index(PathBuf),
    /// A directory, asked for without its slash.
    Directory,
}

impl StaticFiles {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves a file or a directory under a path. Whether it exists, and which of the two it is, is looked at with each
    /// request.
    pub fn route(self, path: &str, target: impl Into<PathBuf>) -> Self {
        self.add(path, target.into(), None)
    }

    /// The same, with a type in place of the one that the name of a file has.
    pub fn route_as(self, path: &str, target: impl Into<PathBuf>, content_type: impl Into<Cow<'static, str>>) -> Self {
        self.add(path, target.into(), Some(content_type.into()))
    }

    fn add(mut self, path: &str, target: PathBuf, content_type: Option<Cow<'static, str>>) -> Self {
        let segments = path.split('/').filter(|part| !part.is_empty()).map(ToOwned::to_owned);
        let route = Route {
            segments: segments.collect(),
            has_slash: path.ends_with('/'),
            target,
            content_type,
        };
        let routes = &mut Arc::make_mut(&mut self.0).routes;
        // The last word on a path counts.
        routes.retain(|other| other.segments != route.segments);
        routes.push(route);
        self
    }

    /// The file that a directory is (Python's route for the empty path). `index.html`.
    pub fn index(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.set_index(name.into(), None)
    }

    /// The same, with a type in place of the one that its name or the directory's route has.
    pub fn index_as(self, name: impl Into<Cow<'static, str>>, content_type: impl Into<Cow<'static, str>>) -> Self {
        self.set_index(name.into(), Some(content_type.into()))
    }

    fn set_index(mut self, name: Cow<'static, str>, content_type: Option<Cow<'static, str>>) -> Self {
        let rules = Arc::make_mut(&mut self.0);
        (rules.index, rules.index_type) = (name, content_type);
        self
    }

    /// How long browsers may use what they have without asking: the header `Cache-Control`. `no-cache`: not at all. An
    /// empty one leaves it to them.
    pub fn cache_control(mut self, value: impl Into<Cow<'static, str>>) -> Self {
        Arc::make_mut(&mut self.0).cache_control = value.into();
        self
    }

    /// The answer to a request; `None` where there is no such file. Reads from the disk, and so may block.
    pub fn answer(&self, request: &Request) -> Option<Response> {
        let (segments, wants_directory) = segments_of(request.path())?;
        let (route, rest) = self.route_of(&segments)?;
        let found = self.find(route, rest, wants_directory)?;
        let is_get = request.method() == "GET";
        if !is_get && request.method() != "HEAD" {
            return Some(Response::new(405).header("Allow", "GET, HEAD"));
        }
        match found {
            Found::Directory => Some(redirect(request)),
            Found::File(path) => self.respond(&path, route.content_type.as_deref(), is_get, request),
            Found::Index(path) => {
                let content_type = self.0.index_type.as_deref().or(route.content_type.as_deref());
                self.respond(&path, content_type, is_get, request)
            }
        }
    }

    /// The route with the longest path, and what of the segments is below it.
    fn route_of<'a>(&self, segments: &'a [String]) -> Option<(&Route, &'a [String])> {
        let matching = self
            .0
            .routes
            .iter()
            .filter(|route| segments.starts_with(&route.segments));
        let route = matching.max_by_key(|route| route.segments.len())?;
        Some((route, &segments[route.segments.len()..]))
    }

    fn find(&self, route: &Route, rest: &[String], wants_directory: bool) -> Option<Found> {
        let root = fs::canonicalize(&route.target).ok()?;
        let path = below(&root, rest)?;
        let kind = fs::metadata(&path).ok()?;
        if kind.is_file() {
            let named_so = rest.is_empty() && route.has_slash;
            return (!wants_directory || named_so).then_some(Found::File(path));
        }
        if !kind.is_dir() {
            return None;
        }
        let index = below(&root, &[rest, &[self.0.index.to_string()]].concat())?;
        if !fs::metadata(&index).ok()?.is_file() {
            return None;
        }
        // Addresses in the page are relative to the directory only behind its slash.
        Some(if wants_directory {
            Found::Index(index)
        } else {
            Found::Directory
        })
    }

    fn respond(&self, path: &Path, content_type: Option<&str>, is_get: bool, request: &Request) -> Option<Response> {
        let (file, metadata) = open(path)?;
        let validators = Validators::new(metadata.len(), metadata.modified().ok());
        let verdict = validators.judge(is_get, |name| request.header(name));
        let status = match verdict {
            Verdict::Whole => 200,
            Verdict::Part(_) => 206,
            Verdict::NotModified => 304,
            Verdict::Failed => 412,
            Verdict::Unsatisfiable => 416,
        };
        let mut response = Response::new(status);
        if !matches!(status, 412 | 416) {
            response = response.header("ETag", validators.etag.clone());
            if let Some(modified) = validators.modified {
                response = response.header("Last-Modified", httpdate::fmt_http_date(modified));
            }
            if !self.0.cache_control.is_empty() {
                response = response.header("Cache-Control", self.0.cache_control.clone());
            }
        }
        let length = validators.length;
        let part = match verdict {
            Verdict::Whole => 0..length,
            Verdict::Part(part) => part,
            Verdict::Unsatisfiable => return Some(response.header("Content-Range", format!("bytes */{length}"))),
            Verdict::NotModified | Verdict::Failed => return Some(response),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        response = response
            .header("Content-Type", content_type.unwrap_or_else(|| content_type::of(&name)))
            .header("Accept-Ranges", "bytes")
            .header("X-Content-Type-Options", "nosniff");
        if status == 206 {
            let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            response = response.header("Content-Range", range);
        }
        Some(response.file(FilePart::new(file, part)))
    }
}

/// The parts of a path, decoded, and whether it ends with a slash. `None` for one that can lead nowhere, or could lead
/// elsewhere.
fn segments_of(path: &str) -> Option<(Vec<String>, bool)> {
    let path = path.strip_prefix('/')?;
    let mut segments = Vec::new();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            // A slash at the end, and no other.
            return parts.peek().is_none().then_some((segments, true));
        }
        let part = percent_decoded(part);
        let strange = |c: char| matches!(c, '/' | '\\' | '\0') || cfg!(windows) && c == ':';
        if matches!(&*part, "." | "..") || part.contains(strange) {
            return None;
        }
        segments.push(part.into_owned());
    }
    Some((segments, false))
}

/// Where this leads below a directory, after all symbolic links; `None` where that is not below it, or nowhere.
fn below(root: &Path, segments: &[String]) -> Option<PathBuf> {
    if segments.is_empty() {
        return Some(root.to_owned());
    }
    let mut path = root.to_owned();
    path.extend(segments);
    let real = fs::canonicalize(path).ok()?;
    real.starts_with(root).then_some(real)
}

/// Opens a file where it is what the path, which has no links in it, has led to: whoever may write into a directory could
/// put a link in its place, or in that of a directory above it, after it was looked at.
fn open(path: &Path) -> Option<(File, fs::Metadata)> {
    // A file that was put in the place of another in between, as careful people do it, is there the next time.
    (0..3).find_map(|_| {
        let file = File::open(path).ok()?;
        // What was opened counts, whatever it was a moment before.
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        is_at(&metadata, path).then_some((file, metadata))
    })
}

/// Whether a file that was opened is what is at this path, and no link is on the way.
fn is_at(opened: &fs::Metadata, path: &Path) -> bool {
    let there = fs::symlink_metadata(path);
    there.is_ok_and(|there| is_same(opened, &there)) && fs::canonicalize(path).is_ok_and(|real| real == path)
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// There is nothing else that a file could be known by.
#[cfg(not(unix))]
fn is_same(_one: &fs::Metadata, other: &fs::Metadata) -> bool {
    other.is_file()
}

/// To the same path with a slash, relative to where the browser is: nothing in it can name another host.
fn redirect(request: &Request) -> Response {
    let last = request.path().rsplit('/').next().unwrap_or_default();
    let location = match request.query() {
        "" => format!("./{last}/"),
        query => format!("./{last}/?{query}"),
    };
    Response::new(308).header("Location", location)
}
