//! A shop in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::documented::check_headers;

/// Looks at something that comes about by itself, this often at most.
const LOOKS_MAX: u32 = 400;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The time that a connection is kept which nobody uses: shorter than the shop keeps it, so that no request is
/// sent into one that is just being closed.
const IDLE_MAX: Duration = Duration::from_secs(5);

fn client() -> reqwest::Client {
    reqwest::Client::builder().pool_idle_timeout(IDLE_MAX).build().unwrap()
}

/// Runs a command on a data folder to its end.
pub(crate) fn souk(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command.args(arguments).arg("--data").arg(folder).output().unwrap()
}

/// The same, and the JSON lines it printed.
pub(crate) fn lines(folder: &Path, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = souk(folder, &[arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), lines)
}

/// A running shop.
pub(crate) struct Shop {
    folder: TempDir,
    child: Child,
    address: String,
    token: String,
    client: reqwest::Client,
}

impl Shop {
    /// Opens an empty shop.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        Self::open(tempfile::tempdir().unwrap(), variables).await
    }

    /// Opens an empty shop that can make no file larger than that.
    pub(crate) async fn start_with_files_of(bytes: u64) -> Self {
        let mut command = Command::new("sh");
        // The signal would end the process; ignored, the write is refused instead. Blocks have 512 bytes.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", bytes / 512);
        command.args(["-c", &script, env!("CARGO_BIN_EXE_souk")]);
        Self::run(command, tempfile::tempdir().unwrap()).await
    }

    /// Opens the shop in a folder.
    pub(crate) async fn open(folder: TempDir, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
        command.envs(variables.iter().copied());
        Self::run(command, folder).await
    }

    /// Opens an empty shop that listens there.
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
        let address = listening(&mut child);
        let token = souk(folder.path(), &["token", "--role", "admin", "--subject", "ops"]);
        let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
        let shop = Self { folder, child, address, token, client: client() };
        for _ in 0..LOOKS_MAX {
            let ready = shop.client.get(format!("{}/health/ready", shop.address)).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return shop;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("the shop is not ready");
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

    /// Writes, and gives status and body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = sent(self.request(reqwest::Method::POST, path).json(body)).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Writes under a key; the process may go away meanwhile.
    pub(crate) async fn send_keyed(
        &self,
        path: &str,
        body: &Value,
        key: String,
    ) -> reqwest::Result<(u16, Value)> {
        let request = self.request(reqwest::Method::POST, path).header("Idempotency-Key", key);
        let answer = sent(request.json(body)).await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Sends anything as nobody in particular, and gives status and body; the process may go away
    /// meanwhile.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<(u16, Value)> {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        exchange(request, body, headers).await
    }

    /// The same to a process that stays.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        self.try_send(method, path, body, headers).await.unwrap()
    }

    /// What an admin's requests carry.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// A guest's cart with something in it: its token.
    pub(crate) async fn guest_cart(&self, item: &Value) -> String {
        let request = self.client.post(format!("{}/api/cart/items", self.address));
        let answer = sent(request.header("X-API-Version", "v1").json(item)).await.unwrap();
        answer.headers()["x-cart-token"].to_str().unwrap().to_owned()
    }

    /// The token in the only mail there is.
    pub(crate) fn mailed_token(&self) -> String {
        let people = std::fs::read_dir(self.folder().join("mail")).unwrap();
        let mails = people.flat_map(|person| std::fs::read_dir(person.unwrap().path()).unwrap());
        let mail = std::fs::read_to_string(mails.last().unwrap().unwrap().path()).unwrap();
        mail.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned()
    }

    /// Waits until everybody has been told of every erasure.
    pub(crate) async fn until_settled(&self) {
        assert!(!self.is_killed_before_settled().await, "the shop has ended");
    }

    /// The same for a shop that may be killed before; whether it was.
    pub(crate) async fn is_killed_before_settled(&self) -> bool {
        let options = SqliteConnectOptions::new().filename(self.folder().join("person-keys.sqlite"));
        let pool = SqlitePoolOptions::new().connect_with(options.read_only(true)).await.unwrap();
        for _ in 0..LOOKS_MAX {
            let sql = "SELECT count(*) > 0 AND min(is_settled) = 1 FROM erased";
            let settled: bool = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap();
            let is_killed = TcpStream::connect(self.address().trim_start_matches("http://")).await.is_err();
            if settled || is_killed {
                pool.close().await;
                return is_killed;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("an erasure is not finished");
    }

    /// Reads what the log holds by now.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let head = self.request(reqwest::Method::GET, "/api/admin/projections").send().await.unwrap();
        let head: Value = head.json().await.unwrap();
        let request = self.request(reqwest::Method::GET, path);
        let answer = sent(request.header("X-Min-Position", head["head"].as_str().unwrap())).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Waits until the log does not grow any more: processes and sweeps have nothing left to do.
    pub(crate) async fn until_quiet(&self) {
        let mut head = self.head().await;
        for _ in 0..LOOKS_MAX {
            tokio::time::sleep(10 * LOOK_EVERY).await;
            let now = self.head().await;
            if now == head {
                return;
            }
            head = now;
        }
        panic!("the log grows and grows");
    }

    /// Reads what the read models hold by now.
    pub(crate) async fn read(&self, path: &str) -> (u16, Value) {
        let answer = sent(self.request(reqwest::Method::GET, path)).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The position of the log's last event.
    pub(crate) async fn head(&self) -> u64 {
        self.read("/api/admin/projections").await.1["head"].as_str().unwrap().parse().unwrap()
    }

    /// Reads as of a position, and answers with everything that came.
    pub(crate) async fn ask(&self, path: &str, min_position: Option<&str>) -> reqwest::Response {
        let request = self.request(reqwest::Method::GET, path);
        sent(request.header("X-Min-Position", min_position.unwrap_or("0"))).await.unwrap()
    }

    /// Waits until the shop says of itself that it can't do its work.
    pub(crate) async fn until_not_ready(&self) {
        for _ in 0..LOOKS_MAX {
            let ready = self.client.get(format!("{}/health/ready", self.address)).send().await.unwrap();
            if ready.status().as_u16() == 503 {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("the shop stays ready");
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process now, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Self {
        self.kill_after(Duration::ZERO).await;
        self.child.wait().unwrap();
        self
    }

    /// Reads until it is so.
    pub(crate) async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) {
        let mut last = Value::Null;
        for _ in 0..LOOKS_MAX {
            last = self.get(path).await.1;
            if is_so(&last) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("{path} stays {last}");
    }

    /// Kills the process without a word.
    pub(crate) async fn kill_after(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
        signal(&self.child, "KILL");
    }

    /// Opens the shop of a killed process again.
    pub(crate) async fn restart(mut self) -> Self {
        let mut looks = 0;
        while self.child.try_wait().unwrap().is_none() {
            looks += 1;
            assert!(looks < LOOKS_MAX, "the process does not end");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        drop(self);
        Self::open(folder, &[]).await
    }

    /// Tells the process to stop; it ends well.
    pub(crate) fn stop(mut self) -> TempDir {
        signal(&self.child, "TERM");
        assert!(self.child.wait().unwrap().success());
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

/// Sends a request, and checks that the response has the headers that the document of the API names.
async fn sent(request: reqwest::RequestBuilder) -> reqwest::Result<reqwest::Response> {
    let (client, request) = request.build_split();
    let request = request?;
    let method = request.method().clone();
    let path = request.url().path().to_owned();
    let answer = client.execute(request).await?;
    check_headers(method.as_str(), &path, answer.status().as_u16(), answer.headers());
    Ok(answer)
}

/// Sends anything, and gives status and body.
async fn exchange(
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
    let answer = sent(request).await?;
    let (status, text) = (answer.status().as_u16(), answer.text().await?);
    Ok((status, serde_json::from_str(&text).unwrap_or_default()))
}

/// Where a process says it listens.
fn listening(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let listening: Value = serde_json::from_str(&line).unwrap();
    listening["listening"].as_str().unwrap().to_owned()
}

/// A gateway in front of a shop, in a process of its own.
pub(crate) struct Gateway {
    child: Child,
    address: String,
    client: reqwest::Client,
}

impl Gateway {
    /// Starts one, and waits until it knows the keys of tokens.
    pub(crate) async fn start(upstream: &str, variables: &[(&str, &str)]) -> Self {
        let gateway = Self::open(upstream, variables);
        for _ in 0..LOOKS_MAX {
            if gateway.text("/health/ready").await.0 == 200 {
                return gateway;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("the gateway is not ready");
    }

    /// Starts one.
    pub(crate) fn open(upstream: &str, variables: &[(&str, &str)]) -> Self {
        Self::open_between(upstream, upstream, variables)
    }

    /// Starts one in front of two shops: writes go to the first, reads to the second.
    pub(crate) fn open_between(commands: &str, queries: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
        command.args(["serve", "--role", "gateway", "--listen", "127.0.0.1:0", "--json"]);
        command.args(["--upstream-commands", commands, "--upstream-queries", queries]);
        let mut child = command.envs(variables.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
        let address = listening(&mut child);
        Self { child, address, client: client() }
    }

    /// Sends anything, and gives status and body.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        exchange(request, body, headers).await.unwrap()
    }

    /// Reads a page of text.
    pub(crate) async fn text(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("{}{path}", self.address)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Reads a page until it says so.
    pub(crate) async fn until(&self, path: &str, says: impl Fn(&str) -> bool) {
        let mut last = String::new();
        for _ in 0..LOOKS_MAX {
            last = self.text(path).await.1;
            if says(&last) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("{path} stays {last}");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(status.unwrap().success());
}
