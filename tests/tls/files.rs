//! Certificates where programs look for them: in files.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::certificates::{Authority, Pair};

/// A directory of its own for each test, gone when it is dropped.
pub struct Files(PathBuf);

impl Files {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sansocket-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory for certificates");
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        // Whoever reads it sees the old one or the new one.
        let next = self.0.join(format!("{name}.next"));
        std::fs::write(&next, text).expect("a file for a certificate");
        std::fs::rename(&next, &path).expect("a file for a certificate");
        name_of(&path)
    }

    /// The files of a certificate and its key.
    pub fn pair(&self, name: &str, pair: &Pair) -> [String; 2] {
        [
            self.write(&format!("{name}.pem"), &pair.cert),
            self.write(&format!("{name}.key"), &pair.key),
        ]
    }

    pub fn authority(&self, name: &str, authority: &Authority) -> String {
        self.write(&format!("{name}.pem"), &authority.pem)
    }

    pub fn missing(&self) -> String {
        name_of(&self.0.join("missing.pem"))
    }
}

fn name_of(path: &Path) -> String {
    path.to_str().expect("a path that is text").to_owned()
}

impl Drop for Files {
    fn drop(&mut self) {
        // Another run has another directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
