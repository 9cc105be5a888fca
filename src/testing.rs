//! Shop in a temporary folder, for tests of this crate.

use std::path::Path;
use std::time::Duration;

use souk_configuration::{Configuration, LimitMode, Role};
use souk_domain::Currency;
use souk_sign_in::password::Cost;

use crate::embedded::Embedded;

/// Running shop. Its folder is deleted with it.
pub(crate) struct TestShop {
    pub(crate) shop: Embedded,
    folder: tempfile::TempDir,
}

impl TestShop {
    pub(crate) async fn open() -> Self {
        Self::open_in(tempfile::tempdir().unwrap()).await
    }

    /// Stops the shop, runs `meanwhile`, and starts the shop again in the same folder.
    pub(crate) async fn reopened(self, meanwhile: impl AsyncFnOnce()) -> Self {
        self.shop.stop().await;
        meanwhile().await;
        Self::open_in(self.folder).await
    }

    async fn open_in(folder: tempfile::TempDir) -> Self {
        let configuration = configuration(folder.path());
        Self { shop: Embedded::start(&configuration).await.unwrap(), folder }
    }
}

/// Returns the configuration of a test shop in a folder.
pub(crate) fn configuration(data: &Path) -> Configuration {
    Configuration {
        data: data.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        internal_listen: None,
        currency: Currency::GBP,
        payment_timeout: Duration::from_secs(900),
        webhook_secret: None,
        rebuild_cpu_share: 0.4,
        role: Role::Shop,
        limits: LimitMode::On,
        redis: None,
        public_url: None,
        identity_providers: Vec::new(),
        trusted_proxies: Vec::new(),
        cors_origins: Vec::new(),
        password_cost: Cost { memory_kib: 64, passes: 1 },
        master_key: None,
        master_key_file: None,
        without_keys: false,
        log: String::new(),
        log_json: false,
    }
}
