//! Looks for the licenses beside each manifest that is published: what cargo packages is the
//! directory of the crate, and nothing above it.

use std::fs;

use crate::workspace::{Member, Workspace};

/// What `MIT OR Apache-2.0` means, in words.
const LICENSES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Returns a sentence for each license that a published crate would be without.
pub(crate) fn check(workspace: &Workspace) -> Vec<String> {
    let published = workspace.members.iter().filter(|member| member.published);
    let judge_all = |member: &Member| {
        LICENSES.map(|license| {
            let ours = fs::read(member.dir.join(license)).ok();
            let whole = fs::read(workspace.root.join(license)).ok();
            judge(&member.name, license, ours.as_deref(), whole.as_deref())
        })
    };
    published.flat_map(judge_all).flatten().collect()
}

fn judge(name: &str, license: &str, ours: Option<&[u8]>, whole: Option<&[u8]>) -> Option<String> {
    match ours {
        Some(_) if ours == whole => None,
        Some(_) => Some(format!("`{name}` has another {license} than the workspace")),
        None => Some(format!(
            "`{name}` is published without {license}: link to that of the workspace from beside \
             its manifest"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_carries_its_licenses() {
        let whole = Some(b"as is".as_slice());
        let judge = |ours| judge("one", "LICENSE-MIT", ours, whole);
        assert_eq!(judge(whole), None);
        assert!(judge(None).unwrap().contains("without LICENSE-MIT"));
        assert!(judge(Some(b"no")).unwrap().contains("another LICENSE-MIT"));
    }
}
