//! For how long a certificate is valid: the one thing of it that TLS itself does not tell.
//!
//! A certificate is DER (X.690) of `SEQUENCE { tbsCertificate, … }`, and that of `SEQUENCE {
//! [0] version OPTIONAL, serialNumber, signature, issuer, validity, … }` (RFC 5280, section 4.1).
//! Only the way to `validity` is walked; whether the rest is sound TLS has decided already.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// Reads the validity of a certificate in DER; nothing when it is none.
pub(super) fn validity(der: &[u8]) -> Option<Validity> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (mut rest, _) = expect(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        (_, rest) = expect(rest, VERSION)?;
    }
    (_, rest) = expect(rest, INTEGER)?;
    // The algorithm and the issuer.
    (_, rest) = expect(rest, SEQUENCE)?;
    (_, rest) = expect(rest, SEQUENCE)?;
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (from, rest) = time(validity)?;
    let (until, _) = time(rest)?;
    Some(Validity { from, until })
}

/// Takes a value of this type: its content, and what follows it.
fn expect(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = value(bytes)?;
    (tag == wanted).then_some((content, rest))
}

fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, bytes) = bytes.split_first()?;
    let (length, bytes) = bytes.split_first()?;
    let (length, bytes) = match length {
        0..=0x7f => (usize::from(*length), bytes),
        // A length of so many bytes; no certificate needs more than four.
        0x81..=0x84 => {
            let (length, bytes) = bytes.split_at_checked(usize::from(length & 0x7f))?;
            let length = length.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
            (length, bytes)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, content, rest) = value(bytes)?;
    let text = std::str::from_utf8(content).ok()?;
    let text = match tag {
        // Two digits of the year: those from 50 on are of the last century.
        UTC_TIME => {
            let year: u8 = text.get(..2)?.parse().ok()?;
            format!("{}{text}", if year < 50 { "20" } else { "19" })
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let civil = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    Some((civil.to_zoned(TimeZone::UTC).ok()?.timestamp(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

    use super::*;

    fn certificate() -> CertificateDer<'static> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../aaa-webhook/tests/it/tls/first.pem");
        CertificateDer::from_pem_file(file).unwrap()
    }

    /// As openssl prints it for the same file.
    #[test]
    fn of_a_certificate() {
        let found = validity(&certificate()).unwrap();
        insta::assert_snapshot!(format!("{} to {}", found.from, found.until), @"2026-11-22T09:27:51Z to 2126-10-29T09:27:51Z");
    }

    #[test]
    fn both_kinds_of_time() {
        let read = |tag: u8, text: &str| {
            let length = u8::try_from(text.len()).unwrap();
            let der = [&[tag, length], text.as_bytes()].concat();
            time(&der).map(|(time, _)| time.to_string())
        };
        assert_eq!(read(UTC_TIME, "491231235959Z").unwrap(), "2049-12-31T23:59:59Z");
        assert_eq!(read(UTC_TIME, "500101000000Z").unwrap(), "1950-01-01T00:00:00Z");
        assert_eq!(read(GENERALIZED_TIME, "20500101000000Z").unwrap(), "2050-01-01T00:00:00Z");
        for bad in ["", "Z", "491231235959", "4912312359Z", "491331235959Z", "ä9123123595Z"] {
            assert_eq!(read(UTC_TIME, bad), None, "{bad}");
        }
        assert_eq!(read(INTEGER, "491231235959Z"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = validity(&bytes);
        }

        /// Whatever one byte of it becomes, and wherever it ends.
        #[test]
        fn a_broken_certificate_never_panics(at in 0_usize..200, byte: u8, end in 0_usize..400) {
            let mut der = certificate().to_vec();
            if let Some(there) = der.get_mut(at) {
                *there = byte;
            }
            der.truncate(end);
            let _ = validity(&der);
        }
    }
}
