//! Completions and manual pages.

use std::{fs, process::Stdio};

use crate::support::{aaa, run};

#[tokio::test]
async fn every_shell_has_completions() {
    let directory = tempfile::tempdir().unwrap();
    for (shell, words) in [
        ("bash", "complete -F _aaa"),
        ("zsh", "#compdef aaa"),
        ("fish", "complete -c aaa"),
        ("elvish", "edit:completion:arg-completer[aaa]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let done = run(aaa(directory.path(), &["completions", shell])).await;
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{shell}");
        assert!(done.stdout.contains(words), "{shell}");
        for command in ["webhooks", "doctor", "strict-crc"] {
            assert!(done.stdout.contains(command), "{shell}: {command}");
        }
    }
    let done = run(aaa(directory.path(), &["completions", "tcsh"])).await;
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
}

/// Bash itself completes with it.
#[cfg(unix)]
#[tokio::test]
async fn bash_completes() {
    let directory = tempfile::tempdir().unwrap();
    let script = run(aaa(directory.path(), &["completions", "bash"])).await.stdout;
    fs::write(directory.path().join("aaa.bash"), script).unwrap();
    let ask = "source ./aaa.bash
        COMP_WORDS=(aaa webhooks en) COMP_CWORD=2
        _aaa aaa en webhooks
        echo \"${COMPREPLY[@]}\"";
    let bash = tokio::process::Command::new("bash")
        .args(["--norc", "-c", ask])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(bash.stdout).unwrap();
    assert_eq!(said.trim(), "ensure", "{}", String::from_utf8_lossy(&bash.stderr));
}

#[tokio::test]
async fn every_command_has_a_page() {
    let directory = tempfile::tempdir().unwrap();
    let done = run(aaa(directory.path(), &["man", "share/man1", "--json"])).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let listed = value["pages"].as_array().unwrap().len();
    let pages = fs::read_dir(directory.path().join("share/man1")).unwrap();
    let mut pages: Vec<_> =
        pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    assert_eq!(pages.len(), listed);
    insta::assert_snapshot!(pages.join(" "), @"aaa-auth-bearer.1 aaa-auth-login.1 aaa-auth-whoami.1 aaa-auth.1 aaa-completions.1 aaa-dashboard.1 aaa-demo.1 aaa-doctor.1 aaa-emulate.1 aaa-events-dead-list.1 aaa-events-dead-redrive.1 aaa-events-dead.1 aaa-events-drop-consumer.1 aaa-events-list.1 aaa-events-resend.1 aaa-events-show.1 aaa-events-stats.1 aaa-events-tail.1 aaa-events.1 aaa-listen.1 aaa-man.1 aaa-replay-create.1 aaa-replay-plan.1 aaa-replay-recover.1 aaa-replay-status.1 aaa-replay.1 aaa-store-backup.1 aaa-store-check.1 aaa-store-forget.1 aaa-store-vacuum.1 aaa-store.1 aaa-subscriptions-add.1 aaa-subscriptions-check.1 aaa-subscriptions-count.1 aaa-subscriptions-list.1 aaa-subscriptions-remove.1 aaa-subscriptions.1 aaa-trigger.1 aaa-verify.1 aaa-webhooks-create.1 aaa-webhooks-delete.1 aaa-webhooks-ensure.1 aaa-webhooks-list.1 aaa-webhooks-validate.1 aaa-webhooks.1 aaa.1");
    let page = fs::read_to_string(directory.path().join("share/man1/aaa-webhooks-ensure.1"));
    let page = page.unwrap();
    for words in [".TH aaa-webhooks-ensure 1", "Takes the webhook with this URL", "\\-\\-replace"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // A file in the way.
    fs::write(directory.path().join("file"), "").unwrap();
    let done = run(aaa(directory.path(), &["man", "file"])).await;
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(done.stderr, @"
    error: could not write the manual pages to `file`: File exists (os error 17)
    what to do: name a directory that you may write to
    ");
}
