"""Every value of the chart, once: its name, meaning, default and bounds. values.yaml, values.schema.json and
docs/chart-values.md are written from it.

Free-form parts of Kubernetes (tolerations, affinity, volumes) are passed on as they are; the API server checks them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

Duration = Annotated[str, StringConstraints(pattern=r"^[0-9]*[1-9][0-9]*(ms|s|m|h)$")]
LeaseDuration = Annotated[str, StringConstraints(pattern=r"^(([3-9]|[1-9][0-9]+)s|[1-9][0-9]*m)$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
MaybeName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9.]+(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Things = list[dict[str, Any]]
Texts = dict[str, str]


class Part(BaseModel):
    """Unknown keys are refused: a slip in a name is no silent default."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Global(BaseModel):
    """Shared with a chart that has this one in it; what others put there is left alone."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel, populate_by_name=True)

    image_registry: str = Field("", description="Registry of all images, in place of `image.registry`.")
    image_pull_secrets: list[str] = Field([], description="Names of Secrets to pull with, beside `imagePullSecrets`.")


class Image(Part):
    registry: str = Field("", description="Registry, as `registry.example.com:5000`.")
    repository: Annotated[str, StringConstraints(min_length=1)] = Field(
        "foresail", description="Name of the image. Build it with `make image` and push it where your nodes can pull."
    )
    tag: str = Field("", description="Tag; without one the version of the chart's application.")
    digest: Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64})?$")] = Field(
        "", description="`sha256:…`: pulled by it, whatever the tag says."
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field("IfNotPresent", description="When to pull.")


class Operator(Part):
    tick: Duration = Field("15s", description="Time between decisions.")
    step: Duration = Field("60s", description="Grid of the demand.")
    lease_duration: LeaseDuration = Field(
        "15s", description="A standby takes over after so long without a renewal; whole seconds, three or more."
    )
    site: str = Field("", description="Where this runs, for the selectors of policies.")
    port: Port = Field(9464, description="Of /metrics, /healthz, /readyz and the read-only API.")
    anomalies: bool = Field(True, description="Look for anomalies (docs/anomalies.md); off: `--anomalies off`.")
    api: bool = Field(True, description="Serve decisions to `kubectl foresail`, by the API server's proxy.")


class ScaleTarget(Part):
    api_group: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][-a-z0-9]*[a-z0-9])+$")] = (
        Field(description="Group of the kind, as `argoproj.io`; never the core one, whose Secrets it would read.")
    )
    resource: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$")] = Field(
        description="Plural of the kind, as `rollouts`."
    )


class Permissions(Part):
    create: bool = Field(True, description="Make the roles and bindings; off: somebody else grants docs/install.md's.")
    act: bool = Field(
        True, description="Grant the writes of `mode: Act`; off: the operator can only observe, advise and tell."
    )
    keda: bool = Field(True, description="Grant KEDA's ScaledObjects too.")
    targets: list[ScaleTarget] = Field(
        [], description="Further kinds with a scale subresource that may be targets: `{apiGroup, resource}`."
    )
    secrets: list[Name] = Field(
        [], description="Secrets of the release's namespace that MetricsSources name; each is granted by its name."
    )
    user_roles: bool = Field(
        True,
        description="Roles for people: aggregated to view, edit and admin; of SREs, platform and readers of the API.",
    )


class ServiceAccount(Part):
    create: bool = Field(True, description="Make it.")
    name: MaybeName = Field("", description="Its name; without one the release's.")
    annotations: Texts = Field({}, description="Its annotations, such as a cloud identity's.")


class Crds(Part):
    install: bool = Field(
        True, description="Install and upgrade the custom resource definitions; they are kept at uninstall."
    )


PolicyFile = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+\.ya?ml$")]


class Policies(Part):
    files: dict[PolicyFile, str] = Field(
        {},
        description="Name (`limits.yaml`) to YAML text of GuardPolicies, and of MetricsSources that go in with "
        "files of the pod; mounted, and followed while it runs.",
    )
    existing_config_map: MaybeName = Field("", description="A ConfigMap of such files that you keep yourself.")


class Detectors(Part):
    recipe: str = Field(
        "",
        description="YAML text of a DetectorRecipe, as models/detectors.yaml: pyod detectors beside the engine's own "
        "(docs/anomaly-detection.md). The image has to carry pyod, as that of `make image` does. Raise "
        "`resources.limits.memory`: 1280Mi at least (some eighty series), 2560Mi for a fleet.",
    )
    existing_config_map: MaybeName = Field("", description="A ConfigMap that you keep yourself, in place of `recipe`.")
    key: Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+\.ya?ml$")] = Field(
        "detectors.yaml", description="Its key, and the file's name in the pod, under /etc/foresail/detectors."
    )


class MetricsSource(Part):
    name: Name = Field(description="Name of the object, which demands refer to.")
    labels: Texts = Field({}, description="Its labels.")
    spec: dict[str, Any] = Field(description="As in docs/custom-resources-reference.md; the API server checks it.")


class SecretMount(Part):
    name: Name = Field(description="A Secret in the release's namespace.")
    mount_path: Annotated[str, StringConstraints(pattern=r"^/.+")] = Field(description="Folder for its keys.")
    items: Things = Field([], description="Keys to show, as of a Secret volume; none: all.")
    optional: bool = Field(False, description="Start without it.")


class Store(Part):
    persistent: bool = Field(
        True, description="Keep the record in a PersistentVolumeClaim; off: in an emptyDir, lost with the pod."
    )
    size: Quantity = Field("2Gi", description="Of the claim.")
    storage_class: str = Field("", description="Of the claim; without one the cluster's default.")
    access_modes: list[Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]] = Field(
        ["ReadWriteOnce"], description="Of the claim."
    )
    annotations: Texts = Field({}, description="Of the claim.")
    existing_claim: MaybeName = Field("", description="A claim that you made yourself.")
    keep: bool = Field(False, description="Leave the claim behind at uninstall.")
    empty_dir_size_limit: Quantity = Field("1Gi", description="Largest emptyDir, without a claim.")


Url = Annotated[str, StringConstraints(pattern=r"^https?://[^@\s]+$")]


class Notify(Part):
    file: str = Field(
        "",
        description="YAML text of a Notifications object: PagerDuty, Slack, webhooks, mail, routes, silences. Its "
        "secrets stand in `secretMounts` and `extraEnv`, never here.",
    )
    existing_config_map: MaybeName = Field("", description="A ConfigMap that you keep yourself, in place of `file`.")
    key: Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+\.ya?ml$")] = Field(
        "on-call.yaml", description="Its key, and the file's name in the pod, under /etc/foresail/notify."
    )


class Alerts(Part):
    alertmanagers: list[Url] = Field(
        [], description="URLs of Alertmanagers that are sent to; credentials by `secretMounts` and `extraArgs`."
    )
    notify: Notify = Field(Notify(), description="Other destinations, as `--notify` takes them (docs/notify.md).")


class Service(Part):
    enabled: bool = Field(True, description="A Service for the port.")
    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field("ClusterIP", description="Its type.")
    annotations: Texts = Field({}, description="Its annotations.")


class Monitor(Part):
    enabled: bool = Field(False, description="Make it (needs the Prometheus Operator).")
    namespace: MaybeName = Field("", description="Where; without one the release's.")
    labels: Texts = Field({}, description="Labels that your Prometheus selects by, as `release: prometheus`.")
    interval: Duration = Field("15s", description="Time between scrapes.")
    scrape_timeout: Duration = Field("10s", description="Longest wait for one.")
    relabelings: Things = Field([], description="Relabelings of targets.")
    metric_relabelings: Things = Field([], description="Relabelings of samples.")


class PrometheusRule(Part):
    enabled: bool = Field(False, description="Make it (needs the Prometheus Operator).")
    namespace: MaybeName = Field("", description="Where; without one the release's.")
    labels: Texts = Field({}, description="Labels that your Prometheus selects by.")


class Dashboards(Part):
    enabled: bool = Field(False, description="Grafana dashboards as ConfigMaps.")
    namespace: MaybeName = Field("", description="Where; without one the release's.")
    labels: Texts = Field({"grafana_dashboard": "1"}, description="Labels that Grafana's sidecar selects by.")
    annotations: Texts = Field({}, description="Annotations, such as the folder's.")


class ApiServerEgress(Part):
    ports: list[Port] = Field([443, 6443], description="Ports, before and after the Service's translation.")
    cidrs: list[str] = Field([], description="Addresses of the API server; none: any, as a chart cannot know them.")


class Egress(Part):
    dns: bool = Field(True, description="Port 53.")
    api_server: ApiServerEgress = Field(ApiServerEgress(), description="The API server.")
    metrics_ports: list[Port] = Field(
        [80, 443, 9090], description="Ports of metrics servers; with `metricsTo` only there."
    )
    metrics_to: Things = Field([], description="NetworkPolicyPeers of the metrics servers; none: anywhere.")
    alert_ports: list[Port] = Field([9093], description="Ports of Alertmanagers, where `alerts` names one.")
    extra: Things = Field([], description="Further egress rules.")


class NetworkPolicy(Part):
    enabled: bool = Field(True, description="Refuse all traffic but that below.")
    ingress_from: Things = Field(
        [], description="NetworkPolicyPeers that may ask the port; none: anybody (the API server's proxy is no pod)."
    )
    egress: Egress = Field(Egress(), description="Where it may connect to.")


class DisruptionBudget(Part):
    enabled: bool = Field(True, description="With two replicas or more: drains leave one of them.")
    max_unavailable: Annotated[int, Field(ge=1)] = Field(1, description="So many at once.")


class Probe(Part):
    period_seconds: Annotated[int, Field(ge=1)] = Field(10, description="Time between two.")
    timeout_seconds: Annotated[int, Field(ge=1)] = Field(5, description="Longest wait for an answer.")
    failure_threshold: Annotated[int, Field(ge=1)] = Field(6, description="So many failures in a row count.")


class Probes(Part):
    liveness: Probe = Field(Probe(), description="/healthz: ticks that hang or fail, where a restart may help.")
    readiness: Probe = Field(Probe(), description="/readyz: it could lead.")
    startup: Probe = Field(Probe(period_seconds=5, failure_threshold=60), description="/healthz, until it answers.")


class ReleaseOnUninstall(Part):
    enabled: bool = Field(
        True, description="Hand all floors back before an uninstall (a Job); off: they stay where they are."
    )
    active_deadline_seconds: Annotated[int, Field(ge=30)] = Field(
        240, description="The Job ends then, and the uninstall says so; helm itself waits for --timeout, 5m."
    )
    backoff_limit: Annotated[int, Field(ge=0)] = Field(2, description="Tries after the first.")


POD_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
    "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip
CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
}  # fmt: skip
RESOURCES: dict[str, Any] = {"requests": {"cpu": "100m", "memory": "384Mi"}, "limits": {"memory": "1Gi"}}


class Values(Part):
    """In the order of the files that are written from it."""

    global_: Global = Field(Global(), alias="global", description="Of a chart around this one.")
    name_override: MaybeName = Field("", description="Name of the application, in place of `foresail`.")
    fullname_override: MaybeName = Field("", description="Name of the objects, in place of the release's.")
    common_labels: Texts = Field({}, description="Labels of every object.")
    common_annotations: Texts = Field({}, description="Annotations of every object.")

    image: Image = Field(Image(), description="What runs.")
    image_pull_secrets: list[str] = Field([], description="Names of Secrets to pull with.")

    installation: Name = Field(
        "foresail", description="Our name on the floors that we hold, and of the Lease; one per Foresail of a cluster."
    )
    namespaces: list[Name] = Field(
        [],
        description="Only these namespaces, by Roles in each; none: all, by ClusterRoles.",
        json_schema_extra={"uniqueItems": True},
    )
    replicas: Annotated[int, Field(ge=0, le=9)] = Field(
        1, description="One writes, the others stand by. More than one needs `store.persistent: false`: see NOTES."
    )
    docs_url: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s?#]+)?$")] = Field(
        "",
        description="Where you publish this version's folder `docs`, as "
        "`https://git.example.com/platform/foresail/blob/v0.1/docs`: the base of links in alerts, rules, dashboards "
        "and conditions. Without one: `https://foresail.dev/docs`.",
    )
    operator: Operator = Field(Operator(), description="How it runs.")
    permissions: Permissions = Field(Permissions(), description="What it may do.")
    service_account: ServiceAccount = Field(ServiceAccount(), description="Who it is.")
    crds: Crds = Field(Crds(), description="The custom resource definitions.")
    policies: Policies = Field(Policies(), description="GuardPolicies in files, beside those that are objects.")
    detectors: Detectors = Field(
        Detectors(), description="Further detectors of anomalies, as `--detectors` takes them; a change is a restart."
    )
    metrics_sources: list[MetricsSource] = Field(
        [],
        description="MetricsSources: `{name, labels, spec}`; objects once their kind is served, and before the first "
        "install, when it is not, a file of the pod until the next upgrade.",
    )
    secret_mounts: list[SecretMount] = Field(
        [], description="Secrets as files, for MetricsSources among `policies.files`: `{name, mountPath, items}`."
    )
    store: Store = Field(Store(), description="Where the record, the kept demand and the learned margins are.")
    release_on_uninstall: ReleaseOnUninstall = Field(ReleaseOnUninstall(), description="The pre-delete hook.")

    alerts: Alerts = Field(Alerts(), description="Alerts that Foresail sends itself (docs/alerts.md).")
    service: Service = Field(Service(), description="For scrapes and for the API server's proxy.")
    scrape_annotations: bool = Field(True, description="`prometheus.io/scrape` and its kin on the pods.")
    service_monitor: Monitor = Field(Monitor(), description="ServiceMonitor.")
    pod_monitor: Monitor = Field(Monitor(), description="PodMonitor; take this or the ServiceMonitor.")
    prometheus_rule: PrometheusRule = Field(PrometheusRule(), description="Alert rules about Foresail itself.")
    dashboards: Dashboards = Field(Dashboards(), description="Grafana.")
    network_policy: NetworkPolicy = Field(NetworkPolicy(), description="On by default.")

    pod_disruption_budget: DisruptionBudget = Field(DisruptionBudget(), description="PodDisruptionBudget.")
    topology_spread_constraints: Things = Field(
        [], description="None: with two replicas or more, spread over nodes as far as that is possible."
    )
    affinity: dict[str, Any] = Field({}, description="Of the pods.")
    node_selector: Texts = Field({}, description="Of the pods.")
    tolerations: Things = Field([], description="Of the pods.")
    priority_class_name: MaybeName = Field(
        "", description="Of the pods; `system-cluster-critical` needs a quota outside kube-system."
    )
    pod_labels: Texts = Field({}, description="Labels of the pods.")
    pod_annotations: Texts = Field({}, description="Annotations of the pods.")
    pod_security_context: dict[str, Any] = Field(
        POD_SECURITY, description="Restricted Pod Security. On OpenShift: runAsUser, runAsGroup and fsGroup null."
    )
    security_context: dict[str, Any] = Field(CONTAINER_SECURITY, description="Restricted Pod Security.")
    resources: dict[str, Any] = Field(
        RESOURCES, description="Of the operator's container; memory grows with the workloads."
    )
    termination_grace_period_seconds: Annotated[int, Field(ge=1)] = Field(
        30, description="A tick ends, the term is given away and all is recorded within it."
    )
    probes: Probes = Field(Probes(), description="Probes.")

    extra_args: list[str] = Field([], description="Further options of `foresail operator`.")
    extra_env: Things = Field([], description="Further environment variables.")
    extra_env_from: Things = Field([], description="Further sources of environment variables.")
    extra_volumes: Things = Field([], description="Further volumes.")
    extra_volume_mounts: Things = Field([], description="Further mounts of the operator's container.")
    extra_objects: list[dict[str, Any] | str] = Field(
        [], description="Further objects of the release, as YAML or as text; both are templates."
    )
