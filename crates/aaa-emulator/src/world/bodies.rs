//! Bodies that are kept for replays, packed: they are much alike, and there may be a million.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use lz4_flex::block::{compress_with_dict, decompress_with_dict};

/// How many samples of a kind others are packed against.
const SAMPLES: usize = 8;

/// A body is like a sample whose length differs by no more than this.
const ALIKE: usize = 64;

/// What packed bodies were packed against.
#[derive(Debug, Default)]
pub(super) struct Samples(HashMap<Arc<str>, Vec<Bytes>>);

/// A body, packed.
#[derive(Debug)]
pub(super) enum Packed {
    /// As it is.
    Plain(Bytes),
    /// What differs from a sample of the same kind.
    Against { sample: u8, length: u32, bytes: Box<[u8]> },
}

impl Samples {
    /// Returns the one text that stands for a kind.
    pub(super) fn kind(&mut self, kind: &str) -> Arc<str> {
        if let Some((known, _)) = self.0.get_key_value(kind) {
            return Arc::clone(known);
        }
        let known: Arc<str> = kind.into();
        self.0.insert(Arc::clone(&known), Vec::new());
        known
    }

    /// Packs a body against the sample that is most like it, or makes it one.
    pub(super) fn pack(&mut self, kind: &str, body: Bytes) -> Packed {
        let Some(samples) = self.0.get_mut(kind) else {
            return Packed::Plain(body);
        };
        let difference = |sample: &Bytes| sample.len().abs_diff(body.len());
        let nearest = samples.iter().enumerate().min_by_key(|(_, sample)| difference(sample));
        let is_alike = nearest.is_some_and(|(_, sample)| difference(sample) <= ALIKE);
        let packed = nearest.and_then(|(place, sample)| {
            let bytes = compress_with_dict(&body, sample).into_boxed_slice();
            let length = u32::try_from(body.len()).ok()?;
            Some(Packed::Against { sample: u8::try_from(place).ok()?, length, bytes })
        });
        match packed {
            Some(packed) if is_alike || samples.len() >= SAMPLES => packed,
            _ if samples.len() < SAMPLES => {
                samples.push(body.clone());
                Packed::Plain(body)
            }
            _ => Packed::Plain(body),
        }
    }

    /// Returns a body byte for byte.
    pub(super) fn unpack(&self, kind: &str, packed: &Packed) -> Bytes {
        match packed {
            Packed::Plain(body) => body.clone(),
            Packed::Against { sample, length, bytes } => {
                let sample = self.0.get(kind).and_then(|samples| samples.get(usize::from(*sample)));
                let length = usize::try_from(*length).unwrap_or_default();
                let unpacked =
                    sample.and_then(|sample| decompress_with_dict(bytes, length, sample).ok());
                // What was packed here can be unpacked here.
                unpacked.map(Bytes::from).unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bodies::Bodies;

    #[test]
    fn a_post_takes_a_tenth() {
        let (mut samples, mut bodies) = (Samples::default(), Bodies::new(0));
        let now = "2025-11-22T04:13:00Z".parse().unwrap();
        let (mut plain, mut kept) = (0, 0);
        for user in 1..=600_u64 {
            let user = user.try_into().unwrap();
            let body = bodies.make("tweet_create_events", user, None, now).unwrap().body;
            let kind = samples.kind("tweet_create_events");
            let packed = samples.pack(&kind, body.clone());
            assert_eq!(samples.unpack(&kind, &packed), body);
            plain += body.len();
            kept += match packed {
                Packed::Plain(body) => body.len(),
                Packed::Against { bytes, .. } => bytes.len(),
            };
        }
        assert!(kept * 8 < plain, "{kept} of {plain}");
    }

    proptest! {
        #[test]
        fn whatever_is_packed_comes_back(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..40),
        ) {
            let mut samples = Samples::default();
            let kind = samples.kind("x");
            let packed: Vec<_> =
                bodies.iter().map(|body| samples.pack(&kind, body.clone().into())).collect();
            for (body, packed) in bodies.iter().zip(&packed) {
                prop_assert_eq!(&samples.unpack(&kind, packed)[..], &body[..]);
            }
        }
    }
}
