//! Every comparison is a group of two: `ours`, and `bare` beside it.

#![expect(clippy::expect_used, reason = "a fixture that is no use ends the run")]

use std::hint::black_box;

use aaa_webhook::signature::{HEADER, Signature};
use benches::{
    fixtures, payload,
    plan::{GAPS, Missed},
    signature,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::HeaderMap;

#[cfg(unix)]
mod cpu_time;

#[cfg(unix)]
use self::cpu_time::CpuTime as Clock;
#[cfg(not(unix))]
use criterion::measurement::WallTime as Clock;

const DELIVERIES: [(&str, &[u8]); 3] =
    [("post", fixtures::POST), ("favorite", fixtures::FAVORITE), ("message", fixtures::MESSAGE)];

fn keys(criterion: &mut Criterion<Clock>) {
    for (name, bytes) in DELIVERIES {
        pair(
            criterion,
            &format!("keys-{name}"),
            || payload::keys(black_box(bytes)),
            || payload::value(black_box(bytes)),
        );
    }
}

fn decode(criterion: &mut Criterion<Clock>) {
    for (name, bytes) in DELIVERIES {
        pair(
            criterion,
            &format!("decode-{name}"),
            || payload::decode(black_box(bytes)),
            || payload::value(black_box(bytes)),
        );
    }
}

fn verify(criterion: &mut Criterion<Clock>) {
    let text = "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBwLswwdoU";
    let secret = text.parse().expect("a secret");
    let body = fixtures::POST;
    let signature = Signature::of(&secret, body).to_string();
    let headers = HeaderMap::from_iter([(HEADER, signature.parse().expect("a header"))]);
    assert!(signature::verify(&headers, &secret, body));
    pair(
        criterion,
        "verify",
        || signature::verify(black_box(&headers), &secret, black_box(body)),
        || signature::hmac_sha256(text.as_bytes(), black_box(body)),
    );
}

fn sign(criterion: &mut Criterion<Clock>) {
    let request = signature::Request::registration().expect("a request");
    pair(
        criterion,
        "sign",
        || black_box(&request).sign(),
        || {
            let (key, text) = black_box((signature::KEY, signature::BASE_STRING));
            signature::hmac_sha1(key.as_bytes(), text.as_bytes())
        },
    );
}

fn plan(criterion: &mut Criterion<Clock>) {
    for gaps in GAPS {
        let missed = Missed::new(gaps);
        let name = format!("plan-{gaps}");
        pair(criterion, &name, || black_box(&missed).plan(), || black_box(&missed).sort());
    }
}

fn pair<A, B>(
    criterion: &mut Criterion<Clock>,
    name: &str,
    mut ours: impl FnMut() -> A,
    mut bare: impl FnMut() -> B,
) {
    let mut group = criterion.benchmark_group(name);
    group.bench_function(BenchmarkId::from_parameter("ours"), |b| b.iter(&mut ours));
    group.bench_function(BenchmarkId::from_parameter("bare"), |b| b.iter(&mut bare));
    group.finish();
}

criterion_group!(
    name = speed;
    config = Criterion::default().with_measurement(Clock);
    targets = keys, decode, verify, sign, plan
);
criterion_main!(speed);
