//! Draws what a run took, as an SVG that needs nothing else.

use plotters::prelude::*;

use crate::{Failure, Report, sample::Sample};

const WIDTH: u32 = 900;
const HEIGHT: u32 = 760;

/// A line of a panel: its name, its colour, and where it goes.
struct Curve {
    name: &'static str,
    colour: RGBColor,
    at: fn(&Sample) -> Option<f64>,
}

const MEMORY: [Curve; 1] =
    [Curve { name: "memory of the process, MiB", colour: BLUE, at: |sample| sample.memory }];

const FILES: [Curve; 2] = [
    Curve {
        name: "database, MiB",
        colour: RGBColor(0, 110, 60),
        at: |sample| Some(sample.database),
    },
    Curve {
        name: "write-ahead log, MiB",
        colour: RGBColor(200, 120, 0),
        at: |sample| Some(sample.log),
    },
];

const RATE: [Curve; 1] = [Curve {
    name: "acknowledged a second",
    colour: RGBColor(90, 90, 90),
    at: |sample| u32::try_from(sample.acknowledged).ok().map(f64::from),
}];

/// Returns the picture: memory, files and rate over the minutes; a red line where the process was
/// killed, a purple one where it stood still.
///
/// # Errors
///
/// Fails when it cannot be drawn.
pub fn svg(report: &Report) -> Result<String, Failure> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let title = format!(
            "{} deliveries a second for {} seconds; red: killed, purple: stood still",
            report.rate,
            report.time.as_secs()
        );
        let root = root.titled(&title, ("sans-serif", 16))?;
        for (area, curves) in
            root.split_evenly((3, 1)).iter().zip([&MEMORY[..], &FILES[..], &RATE[..]])
        {
            panel(area, &report.samples, curves)?;
        }
        root.present()?;
    }
    Ok(text)
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    samples: &[Sample],
    curves: &[Curve],
) -> Result<(), Failure> {
    let end = samples.last().map_or(1.0, minutes);
    let values = curves.iter().flat_map(|curve| samples.iter().filter_map(curve.at));
    let top = values.fold(1.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(26)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..top)?;
    chart.configure_mesh().x_desc("minutes").light_line_style(WHITE.mix(0.0)).y_labels(5).draw()?;
    let stops = [
        (RGBColor(210, 40, 40), (|sample| sample.kills) as fn(&Sample) -> u64),
        (RGBColor(130, 60, 180), |sample| sample.standstills),
    ];
    for (colour, count) in stops {
        for at in changes(samples, count) {
            chart.draw_series(LineSeries::new([(at, 0.0), (at, top)], colour))?;
        }
    }
    for curve in curves {
        let points = samples.iter().filter_map(|s| Some((minutes(s), (curve.at)(s)?)));
        let colour = curve.colour;
        chart
            .draw_series(LineSeries::new(points, colour))?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .draw()?;
    Ok(())
}

/// The moments at which a count has grown.
fn changes(samples: &[Sample], count: fn(&Sample) -> u64) -> Vec<f64> {
    let before = std::iter::once(0).chain(samples.iter().map(count));
    let grown = samples.iter().zip(before).filter(|(sample, before)| count(sample) > *before);
    grown.map(|(sample, _)| minutes(sample)).collect()
}

fn minutes(sample: &Sample) -> f64 {
    f64::from(u32::try_from(sample.second).unwrap_or(u32::MAX)) / 60.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn everything_that_happened_is_in_the_picture() {
        let samples = (1..=60).map(|second: u32| Sample {
            second: second.into(),
            memory: (second != 30).then_some(40.0),
            database: f64::from(second),
            log: 4.0,
            acknowledged: 2500,
            p99: 5.0,
            kills: u64::from(second >= 20) + u64::from(second >= 40),
            standstills: u64::from(second >= 30),
        });
        let samples: Vec<_> = samples.collect();
        assert_eq!(changes(&samples, |sample| sample.kills), [20.0 / 60.0, 40.0 / 60.0]);
        assert_eq!(changes(&samples, |sample| sample.standstills), [0.5]);
        let report = Report {
            seed: 1,
            time: Duration::from_secs(60),
            rate: 2500,
            acknowledged: 0,
            lost: 0,
            doubled: 0,
            altered: 0,
            refused: 0,
            unanswered: 0,
            admitted: 0,
            troubles: Vec::new(),
            stops: 3,
            median: 0.0,
            p99: 0.0,
            longest_start: Duration::ZERO,
            memory: 40.0,
            bytes: None,
            samples,
        };
        let picture = svg(&report).unwrap();
        assert!(picture.starts_with("<svg"), "{picture}");
        // Two kills in each of three panels.
        assert_eq!(picture.matches(r##"stroke="#D22828""##).count(), 6);
        assert_eq!(picture.matches(r##"stroke="#823CB4""##).count(), 3);
        for name in
            ["memory of the process", "database", "write-ahead log", "acknowledged a second"]
        {
            assert!(picture.contains(name), "{name}");
        }
        assert!(!picture.contains("NaN"));
    }
}
