//! What the commands know of the workspace, read from the manifests only: no dependency is
//! resolved or downloaded.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, MetadataCommand, semver::VersionReq};

use crate::outcome::Failure;

/// The workspace.
pub(crate) struct Workspace {
    /// The directory of the root manifest.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// The packages, ordered by name.
    pub(crate) members: Vec<Member>,
}

/// A package of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) has_lib: bool,
    pub(crate) published: bool,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as a manifest declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) dev: bool,
    pub(crate) optional: bool,
    /// Whether a version is asked for beside, or instead of, the path.
    pub(crate) versioned: bool,
    /// Whether it is a directory rather than a package of the registry.
    pub(crate) local: bool,
}

impl Workspace {
    /// Reads the manifests of this workspace, wherever the command was started.
    pub(crate) fn load() -> Result<Self, Failure> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let metadata = MetadataCommand::new()
            .manifest_path(manifest)
            .no_deps()
            .exec()
            .map_err(|error| Failure::Failed(format!("cannot read the manifests: {error}")))?;
        let mut members: Vec<Member> =
            metadata.workspace_packages().into_iter().map(Member::new).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            root: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
            members,
        })
    }

    /// Returns the members that an option `-p` names; all of them if there is none.
    pub(crate) fn select(&self, names: &[String]) -> Result<Vec<&Member>, Failure> {
        if names.is_empty() {
            return Ok(self.members.iter().collect());
        }
        names
            .iter()
            .map(|name| {
                let found = self.members.iter().find(|member| member.name == *name);
                found.ok_or_else(|| {
                    Failure::Usage(format!("there is no package `{name}` in the workspace"))
                })
            })
            .collect()
    }
}

impl Member {
    fn new(package: &cargo_metadata::Package) -> Self {
        let dir = package.manifest_path.parent().map_or_else(PathBuf::new, Into::into);
        let dependencies = package.dependencies.iter().map(|dependency| Dependency {
            name: dependency.name.clone(),
            dev: dependency.kind == DependencyKind::Development,
            optional: dependency.optional,
            versioned: dependency.req != VersionReq::STAR,
            local: dependency.path.is_some(),
        });
        Self {
            name: package.name.to_string(),
            dir,
            has_lib: package.targets.iter().any(cargo_metadata::Target::is_lib),
            // An empty list of registries is how cargo spells `publish = false`.
            published: package.publish.as_ref().is_none_or(|registries| !registries.is_empty()),
            features: package.features.clone(),
            dependencies: dependencies.collect(),
        }
    }

    /// Says whether the package depends on another one, in tests or otherwise.
    pub(crate) fn uses(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == name)
    }
}

/// Returns the files under a directory, ordered, without build output and hidden directories.
/// A directory that does not exist has none.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        if !dir.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&dir).map_err(|error| unreadable(&dir, &error))? {
            let path = entry.map_err(|error| unreadable(&dir, &error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // Pending inline snapshots are hidden files, so only directories are left out.
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    todo.push(path);
                }
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the path and the text of each Rust file under a directory.
pub(crate) fn rust_files(dir: &Path) -> Result<Vec<(PathBuf, String)>, Failure> {
    files(dir)?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            Ok((path, text))
        })
        .collect()
}

/// Takes the options `-p PACKAGE` of a command; anything else is a usage error.
pub(crate) fn packages(arguments: &[String]) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let name = match argument.as_str() {
            "-p" | "--package" => arguments.next(),
            other => return Err(Failure::Usage(format!("unexpected argument `{other}`"))),
        };
        let name = name.ok_or_else(|| Failure::Usage(format!("`{argument}` needs a package")))?;
        names.push(name.clone());
    }
    Ok(names)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_package_is_read_as_its_manifest_says() {
        let workspace = Workspace::load().unwrap();
        let xtask = workspace.select(&["xtask".to_owned()]).unwrap()[0];
        assert!(!xtask.has_lib && !xtask.published);
        let graph = xtask.dependencies.iter().find(|edge| edge.name == "cargo_metadata");
        assert_eq!(
            graph,
            Some(&Dependency {
                name: "cargo_metadata".to_owned(),
                dev: false,
                optional: false,
                versioned: true,
                local: false,
            })
        );
        let sources = rust_files(&xtask.dir).unwrap();
        assert!(sources.iter().any(|(path, _)| path.ends_with("xtask/src/workspace.rs")));
    }

    #[test]
    fn unknown_packages_and_options_are_usage_errors() {
        let workspace = Workspace::load().unwrap();
        let names = packages(&["-p".to_owned(), "aaa-nobody".to_owned()]).unwrap();
        assert!(matches!(workspace.select(&names), Err(Failure::Usage(_))));
        for bad in ["-p", "--all", "aaa-types"] {
            assert!(matches!(packages(&[bad.to_owned()]), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
