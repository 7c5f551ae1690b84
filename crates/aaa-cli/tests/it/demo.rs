//! The story, and that it breaks when it should.

use serde_json::Value;

use crate::support::{aaa, run};

async fn summary(args: &[&str], code: i32) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let done = run(aaa(directory.path(), args)).await;
    assert_eq!(done.code, code, "{}\n{}", done.stdout, done.stderr);
    let steps: Vec<Value> =
        done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let killed = steps.iter().find(|step| step["step"] == "killed").unwrap();
    assert!(killed["committed_without_200"].as_u64().unwrap() > 0);
    assert!(killed["in_flight"].as_u64() >= killed["committed_without_200"].as_u64());
    steps.last().unwrap().clone()
}

fn number(summary: &Value, name: &str) -> u64 {
    summary[name].as_u64().unwrap_or_else(|| panic!("no {name} in {summary}"))
}

#[tokio::test]
async fn nothing_is_lost() {
    let summary = summary(&["demo", "--json"], 0).await;
    let names: Vec<_> = summary.as_object().unwrap().keys().cloned().collect();
    insta::assert_snapshot!(names.join(" "), @"duplicates_dropped lost missed_while_down received recovered replay_jobs sent");
    assert_eq!(number(&summary, "lost"), 0);
    assert_eq!(number(&summary, "received"), number(&summary, "sent"));
    assert!(number(&summary, "sent") > 200);
    assert!(number(&summary, "missed_while_down") > 0);
    assert_eq!(number(&summary, "recovered"), number(&summary, "missed_while_down"));
    assert!(number(&summary, "duplicates_dropped") > 0);
    assert_eq!(number(&summary, "replay_jobs"), 1);
}

#[tokio::test]
async fn without_recovery_data_is_lost_and_the_exit_code_says_so() {
    let summary = summary(&["demo", "--json", "--recover", "off"], 6).await;
    assert!(number(&summary, "lost") > 0);
    assert_eq!(number(&summary, "lost"), number(&summary, "missed_while_down"));
    assert_eq!(number(&summary, "replay_jobs"), 0);
}
