{{/* Name of everything the release makes. */}}
{{- define "modelyard.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "modelyard.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "modelyard.name" .) -}}
{{- end -}}

{{/* Labels that pods are selected by: they never change. */}}
{{- define "modelyard.selector" -}}
app.kubernetes.io/name: modelyard
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "modelyard.labels" -}}
{{ include "modelyard.selector" . }}
app.kubernetes.io/part-of: modelyard
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* An image of the values, at the chart's version where it has no tag: (list . .Values.image) */}}
{{- define "modelyard.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- printf "%s:%s" $image.repository ($image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}

{{/* What the operator may do with runs and what comes of them. No Secrets, no wildcards. */}}
{{- define "modelyard.rules" -}}
- apiGroups: [modelyard.dev]
  resources: [trainingruns]
  verbs: [get, list, watch]
- apiGroups: [modelyard.dev]
  resources: [trainingruns/status]
  verbs: [patch]
# Where OwnerReferencesPermissionEnforcement is on, only this allows a Job's owner reference to block its run's deletion.
- apiGroups: [modelyard.dev]
  resources: [trainingruns/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# The certificates that trainers check the intake by. A name cannot be asked of what does not exist yet.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [modelyard-intake-ca]
  verbs: [patch]
{{- end -}}
