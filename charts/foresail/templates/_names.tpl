{{- define "foresail.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "foresail.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "foresail.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "foresail.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* Helm refuses objects of a kind that is not served yet, as before the first install: a file serves until then. */ -}}
{{- define "foresail.sourcesInFile" -}}
{{- if and .Values.metricsSources (not (.Capabilities.APIVersions.Has "foresail.dev/v1alpha1")) }}true{{ end }}
{{- end }}

{{- define "foresail.docs" -}}
{{- default "https://foresail.dev/docs" .Values.docsUrl | trimSuffix "/" }}
{{- end }}

{{- define "foresail.selectorLabels" -}}
app.kubernetes.io/name: {{ include "foresail.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Labels that a person may want on everything, and Kubernetes' recommended ones. */ -}}
{{- define "foresail.labels" -}}
{{ include "foresail.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "foresail.annotations" -}}
{{- with .Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "foresail.serviceAccount" -}}
{{- default (ternary (include "foresail.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "foresail.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry }}
{{- $name := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (ne $registry "") }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $name .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "foresail.pullSecrets" -}}
{{- with concat (default list .Values.global.imagePullSecrets) .Values.imagePullSecrets | uniq }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Rules of the one list in permissions.py; `act` and `targets` as the values say. */ -}}
{{- define "foresail.observeRules" -}}
{{ .Files.Get "files/rbac/observe.yaml" }}
{{- if .Values.permissions.keda }}
{{ .Files.Get "files/rbac/observe-keda.yaml" }}
{{- end }}
{{- range .Values.permissions.targets }}
- {"apiGroups": [{{ .apiGroup | quote }}], "resources": [{{ .resource | quote }}], "verbs": ["get", "list"]}
- {"apiGroups": [{{ .apiGroup | quote }}], "resources": [{{ printf "%s/scale" .resource | quote }}], "verbs": ["get"]}
{{- end }}
{{ .Files.Get "files/rbac/events.yaml" }}
{{- end }}

{{- define "foresail.actRules" -}}
{{ .Files.Get "files/rbac/act.yaml" }}
{{- if .Values.permissions.keda }}
{{ .Files.Get "files/rbac/act-keda.yaml" }}
{{- end }}
{{- range .Values.permissions.targets }}
- {"apiGroups": [{{ .apiGroup | quote }}], "resources": [{{ printf "%s/scale" .resource | quote }}], "verbs": ["patch"]}
{{- end }}
{{- end }}

{{- define "foresail.releaseRules" -}}
{{ .Files.Get "files/rbac/release.yaml" }}
{{- if .Values.permissions.keda }}
{{ .Files.Get "files/rbac/release-keda.yaml" }}
{{- end }}
{{- end }}

{{- /* Annotations of what the uninstall's Job needs; nothing of it stays, whatever becomes of the Job. */ -}}
{{- define "foresail.hook" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
{{- end }}
