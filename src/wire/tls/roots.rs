//! Whom one end trusts.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::identity::read;
use crate::error::{Error, Result};

/// Certificate authorities that are trusted. Cheap to clone.
#[derive(Clone)]
pub struct Roots(pub(super) Arc<RootCertStore>);

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("count", &self.0.len()).finish()
    }
}

fn unusable(why: &'static str) -> Error {
    Error::Unusable { what: "roots", why }
}

impl Roots {
    /// Those in a PEM text.
    ///
    /// # Errors
    /// [`Error::Unusable`], with the name `roots`: there is none in it, or one can not be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(pem) {
            let root = root.map_err(|_| unusable("a certificate is damaged: it should be PEM"))?;
            store
                .add(root)
                .map_err(|_| unusable("a certificate is none that can be trusted"))?;
        }
        if store.is_empty() {
            return Err(unusable("there is no certificate in it: it should be PEM"));
        }
        Ok(Self(Arc::new(store)))
    }

    /// The same from a file.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and [`Error::Io`], with the file's name, where it can not be read.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_pem(&read(path.as_ref())?)
    }

    /// Those that the operating system trusts; on Unix also where `SSL_CERT_FILE` and `SSL_CERT_DIR` say. Reads files, which
    /// takes some milliseconds.
    ///
    /// # Errors
    /// [`Error::Unusable`], with the name `roots`: there are none.
    pub fn platform() -> Result<Self> {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        // Systems have a few that are too old to be understood. They are no loss.
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            return Err(unusable("the system has none that can be read"));
        }
        Ok(Self(Arc::new(store)))
    }
}
