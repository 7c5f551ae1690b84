use std::fmt;

use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use super::{Behind, Transactions};
use crate::{distribution::Distribution, receiver::Figures};

/// Writes the figures as OpenMetrics text.
///
/// # Examples
///
/// ```
/// use aaa_webhook::{metrics::{self, Behind}, receiver::Status};
///
/// let figures = Status::default().figures();
/// let text = metrics::text(&figures, &Behind::default(), true);
/// assert!(text.contains("\naaa_events_stored_total 0\n") && text.ends_with("# EOF\n"));
/// ```
pub fn text(figures: &Figures, behind: &Behind, ready: bool) -> String {
    let mut registry = Registry::with_prefix("aaa");
    let scrape = Scrape { figures: figures.clone(), behind: behind.clone(), ready };
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    // Writing into memory does not fail.
    let _ = text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Scrape {
    figures: Figures,
    behind: Behind,
    ready: bool,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut lines = Lines(encoder);
        let Figures { counts, .. } = &self.figures;
        let by_active = counts.verified.saturating_sub(counts.verified_by_previous);
        lines.counters(
            "deliveries_verified",
            "Deliveries that X signed",
            [
                (vec![("secret", "active")], by_active),
                (vec![("secret", "previous")], counts.verified_by_previous),
            ],
        )?;
        let counters = [
            ("deliveries_committed", "Deliveries that are durable", counts.committed),
            ("events_stored", "Events that were new", counts.stored),
            ("events_duplicate", "Copies of events", counts.duplicates),
            ("refusals", "What X sent, or would have, and was not taken", counts.refusals),
        ];
        for (name, help, value) in counters {
            lines.counter(name, help, value)?;
        }
        let refused = self.figures.refused.iter().map(|(reason, count)| {
            let status = reason.status();
            (vec![("reason", reason.as_str()), ("status", status_word(status))], *count)
        });
        lines.counters("requests_refused", "Requests not answered 200", refused)?;
        lines.counters(
            "checks",
            "Challenge-response checks",
            [
                (vec![("result", "answered")], counts.checks),
                (vec![("result", "refused")], counts.refused_checks),
            ],
        )?;
        let Figures { deliveries, commits, checks, .. } = &self.figures;
        lines.seconds("delivery_duration", "What an acknowledged delivery took", deliveries)?;
        lines.seconds("commit_duration", "What the inbox took, its queue included", commits)?;
        lines.seconds("check_duration", "What the answer to a check took", checks)?;
        let Figures { last_delivery, last_check, .. } = &self.figures;
        lines.moment(
            "last_delivery_timestamp",
            "When the last delivery arrived",
            *last_delivery,
        )?;
        lines.moment("last_check_timestamp", "When a check was answered last", *last_check)?;
        lines.gauge("connections", "Open connections", None, Some(counts.connections))?;
        lines.gauge("ready", "Whether deliveries are taken", None, Some(self.ready.into()))?;
        self.encode_behind(&mut lines)
    }
}

impl Scrape {
    fn encode_behind(&self, lines: &mut Lines<'_>) -> fmt::Result {
        let behind = &self.behind;
        let bytes = Some(&Unit::Bytes);
        lines.gauge("store_queued", "Deliveries waiting for their commit", None, behind.queued)?;
        lines.gauge("store_queued", "The bytes of their bodies", bytes, behind.queued_bytes)?;
        lines.gauge("store_events", "Events in the store", None, behind.events)?;
        if let Some(deliveries) = behind.deliveries {
            lines.counter("store_deliveries", "Deliveries with something new", deliveries)?;
        }
        if let Some(Transactions { deliveries, bytes, durations, waits }) = &behind.transactions {
            let took = "What a transaction took until it was durable";
            lines.histogram(
                "store_transaction_deliveries",
                "Deliveries of a transaction",
                None,
                deliveries,
            )?;
            lines.histogram(
                "store_transaction",
                "The bytes of their bodies",
                Some(&Unit::Bytes),
                bytes,
            )?;
            lines.seconds("store_transaction_duration", took, durations)?;
            lines.seconds(
                "store_queue_duration",
                "What a delivery waited for its transaction",
                waits,
            )?;
        }
        if let Some(stale) = behind.stale {
            lines.counter("store_stale", "Events too old to be handled", stale)?;
        }
        if !behind.consumers.is_empty() {
            let lags = behind.consumers.iter().map(|(name, lag)| (name.as_str(), *lag));
            lines.lags("consumer_lag", "Events yet to be handled", lags)?;
        }
        lines.gauge("disk_free", "Free space where the store is", bytes, behind.free_bytes)?;
        let offset = behind.clock_offset.map(|offset| offset.as_secs_f64());
        lines.gauge_of_seconds("clock_offset", "X's clock minus this machine's", offset)?;
        let Some(replay) = &behind.replay else { return Ok(()) };
        lines.gauges("replay_windows", "Windows of missing time", "state", &replay.windows)?;
        let attempts =
            replay.attempts.iter().map(|(outcome, count)| (vec![("outcome", *outcome)], *count));
        lines.counters("replay_attempts", "What became of replay jobs", attempts)?;
        let found = replay.found.iter().map(|(by, count)| (vec![("by", *by)], *count));
        lines.counters("replay_events_found", "Events that replays brought", found)?;
        lines.moment(
            "replay_last_recovered_timestamp",
            "When a window was recovered last",
            replay.last_recovered,
        )?;
        let seconds = Some(&Unit::Seconds);
        let covered = Some(replay.covered_seconds);
        lines.gauge("coverage", "For how long deliveries were taken", seconds, covered)
    }
}

/// One metric after the other.
struct Lines<'a>(DescriptorEncoder<'a>);

impl Lines<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Vec<(&'static str, &'static str)>, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            let mut one = metric.encode_family(&labels)?;
            one.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: Option<u64>,
    ) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }

    fn lags<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (consumer, lag) in values {
            metric.encode_family(&[("consumer", consumer)])?.encode_gauge(&lag)?;
        }
        Ok(())
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: &[(&'static str, u64)],
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, count) in values {
            metric.encode_family(&[(label, *value)])?.encode_gauge(count)?;
        }
        Ok(())
    }

    fn moment(&mut self, name: &str, help: &str, at: Option<Timestamp>) -> fmt::Result {
        self.gauge_of_seconds(name, help, at.map(|at| at.as_duration().as_secs_f64()))
    }

    fn gauge_of_seconds(&mut self, name: &str, help: &str, value: Option<f64>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let seconds = Some(&Unit::Seconds);
        let mut metric = self.0.encode_descriptor(name, help, seconds, MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }

    fn seconds(&mut self, name: &str, help: &str, values: &Distribution) -> fmt::Result {
        self.histogram(name, help, Some(&Unit::Seconds), values)
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: &Distribution,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(values.sum, values.count(), &values.buckets, None)
    }
}

fn status_word(status: http::StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        408 => "408",
        413 => "413",
        415 => "415",
        431 => "431",
        503 => "503",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metrics::Replay, receiver::Reason};

    #[test]
    fn every_line() {
        let mut figures = Figures::default();
        figures.counts.verified = 12;
        figures.counts.verified_by_previous = 2;
        figures.counts.committed = 11;
        figures.counts.stored = 30;
        figures.counts.duplicates = 4;
        figures.counts.refusals = 1;
        figures.counts.checks = 7;
        figures.counts.refused_checks = 3;
        figures.counts.connections = 5;
        figures.refused = Reason::ALL.into_iter().zip(1..).collect();
        let buckets = vec![(0.0005, 6), (0.01, 5), (f64::INFINITY, 0)];
        figures.deliveries = Distribution { buckets, sum: 0.025 };
        figures.last_delivery = Timestamp::from_millisecond(1_763_784_780_250).ok();
        let behind = Behind {
            trouble: None,
            queued: Some(3),
            queued_bytes: Some(7_200),
            events: Some(29),
            deliveries: Some(11),
            transactions: Some(Transactions {
                deliveries: Distribution { buckets: vec![(2.0, 3), (f64::INFINITY, 1)], sum: 11.0 },
                bytes: Distribution {
                    buckets: vec![(16_384.0, 4), (f64::INFINITY, 0)],
                    sum: 26_400.0,
                },
                durations: Distribution {
                    buckets: vec![(0.005, 4), (f64::INFINITY, 0)],
                    sum: 0.012,
                },
                waits: Distribution { buckets: vec![(0.001, 11), (f64::INFINITY, 0)], sum: 0.004 },
            }),
            consumers: vec![("terminal".to_owned(), 0), ("a \"b\"\n\\".to_owned(), 8)],
            stale: Some(6),
            free_bytes: Some(1 << 40),
            clock_offset: Some(jiff::SignedDuration::from_millis(-1_500)),
            replay: Some(Replay {
                windows: vec![("now", 2), ("lost", 1)],
                attempts: vec![("recovered", 5), ("failed", 0)],
                found: vec![("gap", 120), ("sweep", 3)],
                covered_seconds: 86_400,
                last_recovered: Timestamp::from_second(1_763_784_780).ok(),
            }),
        };
        insta::assert_snapshot!(text(&figures, &behind, true));
    }

    /// What is not known is not told as zero.
    #[test]
    fn nothing_is_made_up() {
        let text = text(&Figures::default(), &Behind::default(), false);
        for absent in [
            "aaa_store",
            "aaa_disk",
            "aaa_clock",
            "aaa_consumer",
            "aaa_last",
            "aaa_replay",
            "aaa_cov",
        ] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
        assert!(text.contains("\naaa_ready 0\n"));
    }

    #[test]
    fn every_status_has_its_word() {
        for reason in Reason::ALL {
            assert_eq!(status_word(reason.status()), reason.status().as_str());
        }
    }
}
