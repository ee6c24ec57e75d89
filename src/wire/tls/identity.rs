//! Who one end is: a certificate and its key.

use core::fmt;
use std::format;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::vec::Vec;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::provider;
use crate::error::{Error, Result};

/// A chain of certificates, and the private key of the first. Cheap to clone. Its `Debug` shows no key.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.0.cert.len())
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads both from PEM: the chain with one's own certificate first, and the key in PKCS#8, PKCS#1 or SEC1. Whatever
    /// else the texts hold is passed over, so one text with both may be given twice.
    ///
    /// # Errors
    /// [`Error::Unusable`], with the name `certificate` or `key`: there is none in it, it can not be read, the two do not
    /// belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self> {
        let unusable = |what, why| Error::Unusable { what, why };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = certificates.map_err(|_| unusable("certificate", "it is damaged: it should be PEM"))?;
        if chain.is_empty() {
            return Err(unusable("certificate", "there is none in it: it should be PEM"));
        }
        let encrypted = key.windows(9).any(|window| window == b"ENCRYPTED");
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            let why = if encrypted {
                "it is encrypted: it should be PEM without a password"
            } else {
                "there is none in it: it should be PEM"
            };
            unusable("key", why)
        })?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => unusable("key", "it is not the certificate's"),
            rustls::Error::InvalidCertificate(_) => unusable("certificate", "it can not be read"),
            _ => unusable("key", "it is of no kind that is known, or can not be read"),
        })?;
        Ok(Self(Arc::new(certified)))
    }

    /// The same from two files, which may be one.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and [`Error::Io`], with the file's name, where one can not be read.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self> {
        Self::from_pem(&read(chain.as_ref())?, &read(key.as_ref())?)
    }
}

/// A file's content; an error says which file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::Io(io::Error::new(error.kind(), format!("{}: {error}", path.display()))))
}
