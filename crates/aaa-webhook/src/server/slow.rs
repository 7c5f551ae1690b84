//! The answer to a head that is not whole in time. hyper answers only what it has read.

use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};

use crate::receiver::Refused;

/// Writes the answer as it goes over the wire.
pub(super) fn answer(refused: &Refused, now: Timestamp) -> Vec<u8> {
    let status = refused.reason().status();
    let (code, name) = (status.as_str(), status.canonical_reason().unwrap_or_default());
    let words = refused.to_string();
    let length = words.len();
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    let date = date.map(|date| format!("date: {date}\r\n")).unwrap_or_default();
    format!(
        "HTTP/1.1 {code} {name}\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {length}\r\nconnection: close\r\n{date}\r\n{words}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::{Refusal, Status};

    #[test]
    fn on_the_wire() {
        let refused = Status::default().refuse_head(Refusal::SlowHead);
        let answer = answer(&refused, "2018-03-26T16:33:26.5Z".parse().unwrap());
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(answer.matches('\n').count(), answer.matches("\r\n").count());
        insta::assert_snapshot!(answer.replace("\r\n", "\n"), @"
        HTTP/1.1 408 Request Timeout
        content-type: text/plain; charset=utf-8
        content-length: 27
        connection: close
        date: Mon, 26 Mar 2018 16:33:26 GMT

        the head arrived too slowly
        ");
    }
}
