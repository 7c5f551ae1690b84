//! What was found, per operation.

use std::{collections::BTreeMap, fmt};

use http::StatusCode;

use crate::{
    check::{self, Errors},
    record::Exchange,
    spec::Spec,
};

/// The verdict about some traffic.
#[derive(Debug)]
pub(crate) struct Report {
    title: String,
    rows: Vec<Row>,
    /// What belongs to no operation.
    strays: Vec<String>,
}

/// The verdict about one operation.
#[derive(Debug)]
struct Row {
    id: String,
    line: String,
    excluded: bool,
    answers: BTreeMap<StatusCode, usize>,
    problems: Vec<String>,
}

impl Report {
    /// Judges traffic. Operations whose path begins with one of `excluded` may be absent from it.
    pub(crate) fn new(
        spec: &Spec,
        traffic: &[Exchange],
        errors: Errors,
        excluded: &[&str],
    ) -> Self {
        let row = |operation: &crate::spec::Operation| Row {
            id: operation.id.clone(),
            line: format!("{} {}", operation.method, operation.path),
            excluded: excluded.iter().any(|prefix| operation.path.starts_with(prefix)),
            answers: BTreeMap::new(),
            problems: Vec::new(),
        };
        let mut rows: Vec<_> = spec.operations.iter().map(row).collect();
        let mut strays = Vec::new();
        for (request, response) in traffic {
            let (method, path) = (request.method(), request.uri().path());
            let found = spec.find(method, path);
            let found = found.and_then(|(index, values)| {
                Some((spec.operations.get(index)?, values, rows.get_mut(index)?))
            });
            let Some((operation, values, row)) = found else {
                strays.push(format!("{method} {path} is not described"));
                continue;
            };
            *row.answers.entry(response.status()).or_default() += 1;
            let asked = check::request(operation, &values, request);
            let answered = check::answer(operation, response, errors);
            let status = response.status().as_u16();
            row.problems.extend(asked.into_iter().map(|problem| format!("request: {problem}")));
            row.problems
                .extend(answered.into_iter().map(|problem| format!("answer {status}: {problem}")));
        }
        for row in &mut rows {
            if !row.excluded && !row.answers.keys().any(StatusCode::is_success) {
                row.problems.push("no success was seen".to_owned());
            }
        }
        Self { title: spec.name.clone(), rows, strays }
    }

    /// How many things are wrong.
    pub(crate) fn failures(&self) -> usize {
        self.strays.len() + self.rows.iter().map(|row| row.problems.len()).sum::<usize>()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let covered = self.rows.iter().filter(|row| !row.excluded);
        let width = covered.clone().map(|row| row.id.len()).max().unwrap_or_default();
        for row in covered.clone() {
            let answers: Vec<_> =
                row.answers.iter().map(|(status, n)| format!("{}×{n}", status.as_u16())).collect();
            writeln!(f, "  {:width$}  {}  [{}]", row.id, row.line, answers.join(" "))?;
            for problem in &row.problems {
                writeln!(f, "    wrong: {problem}")?;
            }
        }
        for stray in &self.strays {
            writeln!(f, "  wrong: {stray}")?;
        }
        for row in self.rows.iter().filter(|row| row.excluded) {
            writeln!(f, "  left out: {} {}", row.id, row.line)?;
        }
        let left_out = self.rows.iter().filter(|row| row.excluded).count();
        let requests: usize = self.rows.iter().flat_map(|row| row.answers.values()).sum();
        write!(
            f,
            "  {} operations, {requests} requests, {left_out} left out, failures: {}",
            covered.count(),
            self.failures(),
        )
    }
}
