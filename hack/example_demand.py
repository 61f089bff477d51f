"""Makes the SYNTHETIC recordings beside policies/examples: `python hack/example_demand.py`. Same output every time."""

from pathlib import Path

import numpy as np
import pandas as pd

from autoscaler.simulator.shop import shop_load, shop_window

FOLDER = Path(__file__).parent.parent / "policies" / "examples" / "demand"
DAYS, STEP_S = 2, 60


def main() -> None:
    steps = DAYS * 86400 // STEP_S
    load = shop_load(shop_window().first_step, steps)
    ts = pd.to_datetime(np.arange(load.first_step, load.end_step) * STEP_S, unit="s", utc=True)
    web = pd.DataFrame({"ts": ts.strftime("%Y-%m-%dT%H:%MZ"), "series": "web_requests", "value": load.demand.round(1)})
    web.to_csv(FOLDER / "web-shop.csv", index=False)
    orders = (load.demand / 60).round(3)
    checkout = pd.concat(
        [
            pd.DataFrame({"ts": ts.tz_localize(None), "series": "orders", "value": orders}),
            pd.DataFrame({"ts": ts.tz_localize(None), "series": "payments", "value": (orders * 0.8).round(3)}),
        ]
    )
    checkout.to_parquet(FOLDER / "checkout.parquet", compression="zstd", index=False)
    print(f"wrote {DAYS} days of synthetic demand to {FOLDER}")


if __name__ == "__main__":
    main()
