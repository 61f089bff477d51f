"""`lead`: what is left out is measured or stated, what is written down counts."""

import pytest

from autoscaler.domain.workload import Lead, LeadBasis
from autoscaler.spec import parse_text
from autoscaler.spec.compile import DEFAULT_READY_S, HPA_SYNC_S

DOCUMENT = """\
apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {{name: web, namespace: shop}}
spec:
  target: {{apiVersion: apps/v1, kind: Deployment, name: web}}
  actuation: {actuation}
  acknowledge: [NoReactiveBackup]
  demands: [{{name: requests, source: prod, query: web_requests, capacity: {{perReplica: "45"}}}}]
  replicas: {{max: 60}}
{lead}
---
apiVersion: foresail.dev/v1alpha1
kind: MetricsSource
metadata: {{name: prod}}
spec: {{file: {{path: web.csv}}}}
"""


@pytest.mark.parametrize(
    ("actuation", "written", "lead"),
    [
        ("HpaFloor", "", Lead(DEFAULT_READY_S, 0.0, HPA_SYNC_S, basis=LeadBasis.DEFAULT)),
        ("KedaFloor", "{}", Lead(180.0, 0.0, 15.0, basis=LeadBasis.DEFAULT)),
        ("Scale", "{}", Lead(180.0, 0.0, 0.0, basis=LeadBasis.DEFAULT)),
        ("HpaFloor", "{ready: 2m}", Lead(120.0, 0.0, 15.0)),
        ("HpaFloor", "{ready: 3m}", Lead(180.0, 0.0, 15.0)),
        ("HpaFloor", "{ready: }", Lead(180.0, 0.0, 15.0, basis=LeadBasis.DEFAULT)),
        ("HpaFloor", "{ready: 0s, actuation: 0s}", Lead(0.0)),
        ("Scale", "{ready: 2m, warmup: 30s, actuation: 5s}", Lead(120.0, 30.0, 5.0)),
        ("Scale", "{warmup: 30s}", Lead(180.0, 30.0, 0.0, basis=LeadBasis.DEFAULT)),
    ],
)
def test_a_lead_has_a_basis_and_an_actuation_of_its_kind(actuation: str, written: str, lead: Lead) -> None:
    text = DOCUMENT.format(actuation=actuation, lead=f"  lead: {written}" if written else "")
    (web,) = parse_text(text, "web.yaml").compile()
    assert web.lead == lead
