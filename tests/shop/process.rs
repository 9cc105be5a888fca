//! Processes of the shop and of gateways, and requests to them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use souk_http_shop::check_headers;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Limit of polls for an expected state.
const POLLS_MAX: u32 = 400;
/// Interval between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Time for which the client keeps an idle connection. It is shorter than in the shop, so that no request is
/// sent on a connection that the shop is closing.
const IDLE_MAX: Duration = Duration::from_secs(5);

fn client() -> reqwest::Client {
    reqwest::Client::builder().pool_idle_timeout(IDLE_MAX).build().unwrap()
}

/// Runs a command on a data folder and returns its output.
pub(crate) fn souk(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command.args(arguments).arg("--data").arg(folder).output().unwrap()
}

/// Runs a command on a data folder with `--json`. Returns its exit status and the printed lines.
pub(crate) fn lines(folder: &Path, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = souk(folder, &[arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), lines)
}

/// A running shop process with its data folder.
pub(crate) struct Shop {
    folder: TempDir,
    child: Child,
    address: String,
    token: String,
    client: reqwest::Client,
}

impl Shop {
    /// Starts an empty shop.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        Self::open(tempfile::tempdir().unwrap(), variables).await
    }

    /// Starts an empty shop whose files can't be larger than `bytes`.
    pub(crate) async fn start_with_files_of(bytes: u64) -> Self {
        let mut command = Command::new("sh");
        // The signal XFSZ would end the process. If it is ignored, the write fails instead. `ulimit` counts
        // blocks of 512 bytes.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", bytes / 512);
        command.args(["-c", &script, env!("CARGO_BIN_EXE_souk")]);
        Self::run(command, tempfile::tempdir().unwrap()).await
    }

    /// Starts the shop in a data folder.
    pub(crate) async fn open(folder: TempDir, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
        command.envs(variables.iter().copied());
        Self::run(command, folder).await
    }

    /// Starts an empty shop that listens on an address.
    pub(crate) async fn start_at(address: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
        command.envs(variables.iter().copied());
        Self::run_at(address, command, tempfile::tempdir().unwrap()).await
    }

    async fn run(command: Command, folder: TempDir) -> Self {
        Self::run_at("127.0.0.1:0", command, folder).await
    }

    async fn run_at(listen: &str, mut command: Command, folder: TempDir) -> Self {
        command.args(["serve", "--listen", listen, "--empty", "--json", "--data"]).arg(folder.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let address = listening_address(&mut child);
        let token = souk(folder.path(), &["token", "--role", "admin", "--subject", "ops"]);
        let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
        let shop = Self { folder, child, address, token, client: client() };
        for _ in 0..POLLS_MAX {
            let ready = shop.client.get(format!("{}/health/ready", shop.address)).send().await;
            if ready.is_ok_and(|response| response.status().is_success()) {
                return shop;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        panic!("the shop does not get ready");
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.address));
        request.header("X-API-Version", "v1").header("Prefer", "wait=30").bearer_auth(&self.token)
    }

    /// Sends a POST request as an admin. Returns status and body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = send_checked(self.request(reqwest::Method::POST, path).json(body)).await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Sends a POST request with an idempotency key. Fails if the process is killed meanwhile.
    pub(crate) async fn send_keyed(
        &self,
        path: &str,
        body: &Value,
        key: String,
    ) -> reqwest::Result<(u16, Value)> {
        let request = self.request(reqwest::Method::POST, path).header("Idempotency-Key", key);
        let response = send_checked(request.json(body)).await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    /// Sends a request without a token, and returns status and body. Fails if the process is killed
    /// meanwhile.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<(u16, Value)> {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        send_json(request, body, headers).await
    }

    /// Sends a request without a token, and returns status and body.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        self.try_send(method, path, body, headers).await.unwrap()
    }

    /// Returns the `Authorization` header of an admin.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Puts an item into a new cart of a guest, and returns the cart token.
    pub(crate) async fn guest_cart(&self, item: &Value) -> String {
        let request = self.client.post(format!("{}/api/cart/items", self.address));
        let response = send_checked(request.header("X-API-Version", "v1").json(item)).await.unwrap();
        response.headers()["x-cart-token"].to_str().unwrap().to_owned()
    }

    /// Returns the token in the only mail.
    pub(crate) fn mailed_token(&self) -> String {
        let people = std::fs::read_dir(self.folder().join("mail")).unwrap();
        let mails = people.flat_map(|person| std::fs::read_dir(person.unwrap().path()).unwrap());
        let mail = std::fs::read_to_string(mails.last().unwrap().unwrap().path()).unwrap();
        mail.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned()
    }

    /// Waits until all erasures are settled.
    pub(crate) async fn wait_until_settled(&self) {
        assert!(!self.killed_before_settled().await, "the shop was killed");
    }

    /// Waits until all erasures are settled, or until the shop is killed. Returns true if it was killed.
    pub(crate) async fn killed_before_settled(&self) -> bool {
        let options = SqliteConnectOptions::new().filename(self.folder().join("person-keys.sqlite"));
        let pool = SqlitePoolOptions::new().connect_with(options.read_only(true)).await.unwrap();
        for _ in 0..POLLS_MAX {
            let sql = "SELECT count(*) > 0 AND min(is_settled) = 1 FROM erased";
            let settled: bool = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap();
            let is_killed = TcpStream::connect(self.address().trim_start_matches("http://")).await.is_err();
            if settled || is_killed {
                pool.close().await;
                return is_killed;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        panic!("an erasure is not finished");
    }

    /// Reads a resource as an admin, when the read models have reached the head of the log.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let head = self.request(reqwest::Method::GET, "/api/admin/projections").send().await.unwrap();
        let head: Value = head.json().await.unwrap();
        let request = self.request(reqwest::Method::GET, path);
        let response =
            send_checked(request.header("X-Min-Position", head["head"].as_str().unwrap())).await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Waits until the log stops growing, so that processes and sweeps have nothing left to do.
    pub(crate) async fn wait_until_quiet(&self) {
        let mut head = self.head().await;
        for _ in 0..POLLS_MAX {
            tokio::time::sleep(10 * POLL_INTERVAL).await;
            let now = self.head().await;
            if now == head {
                return;
            }
            head = now;
        }
        panic!("the log does not stop growing");
    }

    /// Reads a resource as an admin, without waiting for the read models.
    pub(crate) async fn read(&self, path: &str) -> (u16, Value) {
        let response = send_checked(self.request(reqwest::Method::GET, path)).await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Returns the position of the last event in the log.
    pub(crate) async fn head(&self) -> u64 {
        self.read("/api/admin/projections").await.1["head"].as_str().unwrap().parse().unwrap()
    }

    /// Reads a resource as an admin with a minimum position, and returns the whole response.
    pub(crate) async fn get_response(&self, path: &str, min_position: Option<&str>) -> reqwest::Response {
        let request = self.request(reqwest::Method::GET, path);
        send_checked(request.header("X-Min-Position", min_position.unwrap_or("0"))).await.unwrap()
    }

    /// Waits until `/health/ready` returns 503.
    pub(crate) async fn wait_until_not_ready(&self) {
        for _ in 0..POLLS_MAX {
            let ready = self.client.get(format!("{}/health/ready", self.address)).send().await.unwrap();
            if ready.status().as_u16() == 503 {
                return;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        panic!("the shop stays ready");
    }

    /// Returns the id of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process, and waits until it has ended.
    pub(crate) async fn kill(mut self) -> Self {
        self.kill_after(Duration::ZERO).await;
        self.child.wait().unwrap();
        self
    }

    /// Reads a resource again and again until `is_so` returns true.
    pub(crate) async fn wait_until(&self, path: &str, is_so: impl Fn(&Value) -> bool) {
        let mut last = Value::Null;
        for _ in 0..POLLS_MAX {
            last = self.get(path).await.1;
            if is_so(&last) {
                return;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        panic!("{path} stays {last}");
    }

    /// Waits, and then sends SIGKILL to the process.
    pub(crate) async fn kill_after(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
        signal(&self.child, "KILL");
    }

    /// Starts the shop again after its process was killed.
    pub(crate) async fn restart(mut self) -> Self {
        let mut polls = 0;
        while self.child.try_wait().unwrap().is_none() {
            polls += 1;
            assert!(polls < POLLS_MAX, "the process does not end");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        drop(self);
        Self::open(folder, &[]).await
    }

    /// Stops the process gracefully, and returns its data folder.
    pub(crate) fn stop(mut self) -> TempDir {
        signal(&self.child, "TERM");
        assert!(self.child.wait().unwrap().success());
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

/// Sends a request, and checks that the response has the headers that the API document describes.
async fn send_checked(request: reqwest::RequestBuilder) -> reqwest::Result<reqwest::Response> {
    let (client, request) = request.build_split();
    let request = request?;
    let method = request.method().clone();
    let path = request.url().path().to_owned();
    let response = client.execute(request).await?;
    check_headers(method.as_str(), &path, response.status().as_u16(), response.headers());
    Ok(response)
}

/// Sends a JSON request with headers, and returns status and body.
async fn send_json(
    request: reqwest::RequestBuilder,
    body: &Value,
    headers: &[(&str, &str)],
) -> reqwest::Result<(u16, Value)> {
    let mut request = request.header("X-API-Version", "v1").header("Prefer", "wait=30");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !body.is_null() {
        request = request.json(body);
    }
    let response = send_checked(request).await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or_default()))
}

/// Reads the address from the first line that a process prints.
fn listening_address(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let listening: Value = serde_json::from_str(&line).unwrap();
    listening["listening"].as_str().unwrap().to_owned()
}

/// A gateway process in front of a shop.
pub(crate) struct Gateway {
    child: Child,
    address: String,
    client: reqwest::Client,
}

impl Gateway {
    /// Starts a gateway, and waits until it is ready.
    pub(crate) async fn start(upstream: &str, variables: &[(&str, &str)]) -> Self {
        let gateway = Self::open(upstream, variables);
        for _ in 0..POLLS_MAX {
            if gateway.text("/health/ready").await.0 == 200 {
                return gateway;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        panic!("the gateway does not get ready");
    }

    /// Starts a gateway, without waiting until it is ready.
    pub(crate) fn open(upstream: &str, variables: &[(&str, &str)]) -> Self {
        Self::open_between(upstream, upstream, variables)
    }

    /// Starts a gateway in front of two shops. It sends writes to the first and reads to the second.
    pub(crate) fn open_between(commands: &str, queries: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
        command.args(["serve", "--role", "gateway", "--listen", "127.0.0.1:0", "--json"]);
        command.args(["--upstream-commands", commands, "--upstream-queries", queries]);
        let mut child = command.envs(variables.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
        let address = listening_address(&mut child);
        Self { child, address, client: client() }
    }

    /// Sends a JSON request with headers, and returns status and body.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        send_json(request, body, headers).await.unwrap()
    }

    /// Reads a text, and returns status and body.
    pub(crate) async fn text(&self, path: &str) -> (u16, String) {
        let response = self.client.get(format!("{}{path}", self.address)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Reads a text again and again until `says` returns true.
    pub(crate) async fn wait_until(&self, path: &str, says: impl Fn(&str) -> bool) {
        let mut last = String::new();
        for _ in 0..POLLS_MAX {
            last = self.text(path).await.1;
            if says(&last) {
                return;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        panic!("{path} stays {last}");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(status.unwrap().success());
}
