//! A headless Chromium for tests of pages, driven through WebDriver: it runs their scripts and
//! applies their policies, so what it shows is what somebody would see.
//!
//! It needs the programs `chromium` (or `chromium-browser`, `google-chrome`) and `chromedriver`. A
//! test begins with [`missing`], and counts as skipped where something is.

mod wire;

use std::{
    env, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often something is looked at that is waited for.
const GLANCE: Duration = Duration::from_millis(20);

const DRIVER: &str = "chromedriver";

/// Says which program is missing.
pub fn missing() -> Option<&'static str> {
    if find(&[DRIVER]).is_none() {
        return Some("chromedriver is not installed");
    }
    find(&BROWSERS).is_none().then_some("no Chromium is installed")
}

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn find(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let places: Vec<_> = env::split_paths(&path).collect();
    names.iter().find_map(|name| places.iter().map(|place| place.join(name)).find(|p| p.is_file()))
}

/// A browser with one window. It is closed when this is dropped.
#[derive(Debug)]
pub struct Browser {
    address: SocketAddr,
    session: String,
    // Dropped in this order: first who writes into the directory.
    driver: Child,
    profile: TempDir,
}

impl Browser {
    /// Starts one with a window of so many pixels.
    ///
    /// # Errors
    ///
    /// Fails when a program is missing or does not do as it should.
    pub async fn start(width: u32, height: u32) -> io::Result<Self> {
        let absent = || io::Error::from(io::ErrorKind::NotFound);
        let program = find(&BROWSERS).ok_or_else(absent)?;
        let profile = tempfile::Builder::new().prefix("aaa-browser-").tempdir()?;
        let mut driver = Command::new(find(&[DRIVER]).ok_or_else(absent)?)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = driver.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let port = timeout(PATIENCE, port(stdout)).await??;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let directory = format!("--user-data-dir={}", profile.path().display());
        let arguments = json!([
            "--headless",
            // Tests run as root in containers, where it refuses its sandbox.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            directory,
        ]);
        let always = json!({
            "goog:chromeOptions": {"binary": program, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
            "unhandledPromptBehavior": "accept",
        });
        let body = json!({"capabilities": {"alwaysMatch": always}});
        let made = wire::call(address, "POST", "/session", Some(&body)).await?;
        let session = made.get("sessionId").and_then(Value::as_str).map(str::to_owned);
        let session = session.ok_or_else(|| io::Error::other("chromedriver began no session"))?;
        let browser = Self { address, session, driver, profile };
        browser.resize(width, height).await?;
        Ok(browser)
    }

    /// Gives the window so many pixels inside, also fewer than Chromium would by itself.
    ///
    /// # Errors
    ///
    /// Fails when the browser is gone.
    pub async fn resize(&self, width: u32, height: u32) -> io::Result<()> {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.protocol("Emulation.setDeviceMetricsOverride", metrics).await
    }

    /// Has the user prefer dark pages, or light ones.
    ///
    /// # Errors
    ///
    /// Fails when the browser is gone.
    pub async fn prefer(&self, scheme: Scheme) -> io::Result<()> {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.protocol("Emulation.setEmulatedMedia", features).await
    }

    async fn protocol(&self, command: &str, parameters: Value) -> io::Result<()> {
        let body = json!({"cmd": command, "params": parameters});
        self.post("goog/cdp/execute", &body).await.map(drop)
    }

    /// Opens a page, and returns when it is loaded.
    ///
    /// # Errors
    ///
    /// Fails when nothing can be loaded from there.
    pub async fn open(&self, url: &str) -> io::Result<()> {
        self.post("url", &json!({ "url": url })).await.map(drop)
    }

    /// Runs the body of a function in the page, and returns what it returns.
    ///
    /// # Errors
    ///
    /// Fails with what it throws.
    pub async fn run(&self, script: &str) -> io::Result<Value> {
        self.post("execute/sync", &json!({"script": script, "args": []})).await
    }

    /// Waits until the body of a function returns something that counts as true, and returns that.
    ///
    /// # Errors
    ///
    /// Fails with what it throws, and when that takes a minute.
    pub async fn until(&self, script: &str) -> io::Result<Value> {
        let wait = async {
            loop {
                let value = self.run(script).await?;
                if !matches!(&value, Value::Null | Value::Bool(false)) && value != "" && value != 0
                {
                    return Ok(value);
                }
                sleep(GLANCE).await;
            }
        };
        let waited = timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| Err(io::Error::other(format!("it never was so: {script}"))))
    }

    /// Clicks on an element, as a mouse does: it has to be visible.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or something lies over it.
    pub async fn click(&self, selector: &str) -> io::Result<()> {
        let element = self.element(selector).await?;
        self.post(&format!("element/{element}/click"), &json!({})).await.map(drop)
    }

    /// Empties a field and types a text into it.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or nothing can be typed into it.
    pub async fn fill(&self, selector: &str, text: &str) -> io::Result<()> {
        let element = self.element(selector).await?;
        self.post(&format!("element/{element}/clear"), &json!({})).await?;
        self.post(&format!("element/{element}/value"), &json!({ "text": text })).await.map(drop)
    }

    /// Chooses the option of a list that has a value.
    ///
    /// # Errors
    ///
    /// Fails when there is none.
    pub async fn choose(&self, selector: &str, value: &str) -> io::Result<()> {
        self.click(&format!("{selector} option[value=\"{value}\"]")).await
    }

    /// Returns the text of an element as it is seen.
    ///
    /// # Errors
    ///
    /// Fails when there is none.
    pub async fn text(&self, selector: &str) -> io::Result<String> {
        let element = self.element(selector).await?;
        let text = self.call("GET", &format!("element/{element}/text"), None).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    async fn element(&self, selector: &str) -> io::Result<String> {
        let body = json!({"using": "css selector", "value": selector});
        let found = self.post("element", &body).await?;
        let id = found.as_object().and_then(|found| found.values().next()?.as_str());
        id.map(str::to_owned).ok_or_else(|| io::Error::other(format!("no element: {selector}")))
    }

    /// Returns what was written to the console since this was last asked: errors of scripts, and
    /// what a policy kept from happening.
    ///
    /// # Errors
    ///
    /// Fails when the browser is gone.
    pub async fn console(&self) -> io::Result<Vec<String>> {
        let log = self.post("se/log", &json!({"type": "browser"})).await?;
        let lines = log.as_array().into_iter().flatten();
        let text = |line: &Value| line.get("message").and_then(Value::as_str).map(str::to_owned);
        Ok(lines.filter_map(text).collect())
    }

    /// Writes a picture of what is seen, as PNG.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be written.
    pub async fn picture(&self, path: &Path) -> io::Result<()> {
        let picture = self.call("GET", "screenshot", None).await?;
        std::fs::write(path, wire::decoded(picture.as_str().unwrap_or_default())?)
    }

    /// Closes it, and returns when it is gone.
    ///
    /// # Errors
    ///
    /// Fails when it does not end.
    pub async fn close(mut self) -> io::Result<()> {
        self.call("DELETE", "", None).await?;
        self.session.clear();
        self.driver.start_kill()?;
        timeout(PATIENCE, self.driver.wait()).await??;
        Ok(())
    }

    /// Returns where its profile is.
    pub fn profile(&self) -> &Path {
        self.profile.path()
    }

    async fn post(&self, command: &str, body: &Value) -> io::Result<Value> {
        self.call("POST", command, Some(body)).await
    }

    async fn call(&self, method: &str, command: &str, body: Option<&Value>) -> io::Result<Value> {
        let path = format!("/session/{}/{command}", self.session);
        wire::call(self.address, method, path.trim_end_matches('/'), body).await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver alone knows the browser; when it is killed, that would live on.
        if !self.session.is_empty() {
            wire::end(self.address, &self.session);
        }
    }
}

/// Which pages somebody prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark text on light ground.
    Light,
    /// Light text on dark ground.
    Dark,
}

/// Reads on which port the driver listens. What it says later nobody reads.
async fn port(stdout: tokio::process::ChildStdout) -> io::Result<u16> {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        // Before that it says which port it was asked for.
        let end = line.trim_end_matches('.').split_once("successfully on port ");
        if let Some(port) = end.and_then(|(_, port)| port.parse().ok()) {
            return Ok(port);
        }
    }
    Err(io::Error::other("chromedriver does not say where it listens"))
}
