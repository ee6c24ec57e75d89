//! How a peer polls: most take payloads as they are, some have them compressed, and some get them as scripts and post forms.

use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};

use super::http_client::Response;

#[derive(Clone, Copy, Debug)]
pub struct Manner {
    coding: Option<&'static str>,
    scripts: bool,
}

impl Manner {
    /// One of them. The number is not drawn from the peer's own source, so that all else that a seed means stays as it was.
    pub fn of(number: u64) -> Self {
        let coding = match number % 8 {
            0 | 1 => Some("gzip"),
            2 => Some("deflate"),
            _ => None,
        };
        Self {
            coding,
            scripts: number / 8 % 8 == 0,
        }
    }

    /// What the target of a request says of it.
    pub fn query(self) -> &'static str {
        if self.scripts { "&j=7" } else { "" }
    }

    /// The headers of a GET.
    pub fn headers(self) -> String {
        self.coding.map_or(String::new(), |coding| {
            format!("Accept-Encoding: {coding};q=0.9, br\r\n")
        })
    }

    /// The payload in the answer to a poll.
    pub fn payload(self, response: &Response) -> Result<Vec<u8>, String> {
        let said = response
            .head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Encoding: "));
        let body = &response.body[..];
        let mut plain = Vec::new();
        let read = match said {
            None => body.len(),
            Some(coding) if Some(coding) != self.coding => return Err(format!("{coding} was not asked for")),
            Some("gzip") => GzDecoder::new(body)
                .read_to_end(&mut plain)
                .map_err(|error| error.to_string())?,
            Some(_) => ZlibDecoder::new(body)
                .read_to_end(&mut plain)
                .map_err(|error| error.to_string())?,
        };
        if said.is_none() {
            plain.extend_from_slice(body);
        } else if read <= body.len() {
            return Err(format!("{read} bytes became {}", body.len()));
        }
        if !self.scripts {
            return Ok(plain);
        }
        let script = String::from_utf8(plain).map_err(|error| error.to_string())?;
        let argument = script
            .strip_prefix("___eio[7](")
            .and_then(|rest| rest.strip_suffix(");"));
        let argument = argument.ok_or_else(|| format!("an odd script {script}"))?;
        match serde_json::from_str::<String>(argument) {
            Ok(payload) => Ok(payload.into_bytes()),
            Err(error) => Err(format!("{error} in {script}")),
        }
    }

    /// A payload as the form that says it, where there is one which is not too long.
    pub fn form(self, payload: &[u8], limit: usize) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(payload).ok().filter(|_| self.scripts)?;
        if text.contains("\\\n") {
            return None;
        }
        let mut form = b"d=".to_vec();
        for byte in text.replace("\\n", "\\\\n").replace('\n', "\\n").bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => form.push(byte),
                b' ' => form.push(b'+'),
                _ => form.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            }
        }
        Some(form).filter(|form| form.len() <= limit)
    }
}
